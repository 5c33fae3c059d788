"""Refinement steps that belong to no paper's network."""
