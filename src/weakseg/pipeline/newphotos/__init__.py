"""Masks for new photos by a finished run, and folders of masks."""
