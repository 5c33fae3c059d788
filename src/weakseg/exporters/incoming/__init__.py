"""What comes back from other tools: corrected masks and changed tags."""
