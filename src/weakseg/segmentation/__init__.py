"""Segmentation networks by name, and one inference for photos of any size."""
