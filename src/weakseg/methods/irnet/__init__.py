"""IRNet (Ahn, Cho and Kwak, CVPR 2019): boundaries, displacements, the walk within boundaries, instances."""
