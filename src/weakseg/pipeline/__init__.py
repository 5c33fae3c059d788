"""From a recipe to a run directory, stage by stage."""
