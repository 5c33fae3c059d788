"""CPN (Zhang et al., ICCV 2021): complementary patches."""
