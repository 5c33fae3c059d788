"""One training loop, schedules, sampling, checkpoints, devices, and the loop over photos."""
