"""Training affinity networks, one file per method: seeds of every photo first, then the network."""
