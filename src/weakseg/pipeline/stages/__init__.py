"""The stages as plain functions: photos and settings in, files and figures out."""
