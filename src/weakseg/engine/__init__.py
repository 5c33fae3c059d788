"""One training loop and one inference loop for all networks."""
