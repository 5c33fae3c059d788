"""Data source ``coco:PATH``: annotation files, and whole trees as the archives unpack."""
