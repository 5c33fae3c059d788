"""A page on this machine to go through masks: accept, reject, correct by hand."""
