"""Pictures of the visual words that a run has found."""
