"""VWE (Ru et al., IJCAI 2021) and VWL (IJCV 2022): visual words."""
