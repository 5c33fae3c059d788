"""Where images, tags and masks come from, and the formats of masks and maps."""
