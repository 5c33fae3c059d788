"""SIPE (Chen et al., CVPR 2022) and AE-SIPE: image-specific prototypes."""
