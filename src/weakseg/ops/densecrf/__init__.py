"""The dense CRF: mean field, permutohedral lattice, exact form."""
