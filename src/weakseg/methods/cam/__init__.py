"""CAM (Zhou et al., CVPR 2016) as AffinityNet and IRNet train and read it."""
