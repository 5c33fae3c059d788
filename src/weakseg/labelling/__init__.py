"""Masks for any number of photos: sources and outputs of any file system, one machine or many, restartable."""
