"""Masks and networks in the formats of other tools, and what comes back from them."""
