"""The formats of other tools, one file each, and what only one of them needs."""
