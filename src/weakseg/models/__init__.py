"""Torch modules: backbones, CAM methods, affinity and segmentation networks."""
