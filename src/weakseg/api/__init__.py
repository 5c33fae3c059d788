"""The Python face: open data, run a recipe, read and export what came out, use the trained network."""
