"""AffinityNet (Ahn and Kwak, CVPR 2018): affinities between neighbours and the random walk over them."""
