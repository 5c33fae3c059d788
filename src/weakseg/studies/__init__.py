"""Ablations: many runs of a recipe, and one table of them."""
