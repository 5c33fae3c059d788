"""The recipe: its schema, reading and merging of YAML files."""
