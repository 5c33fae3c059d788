"""SEAM (Wang et al., CVPR 2020): equivariant attention."""
