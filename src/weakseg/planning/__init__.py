"""A recipe planned for one's photos and machine: what they are like, rules over that, and the recipe as a file."""
