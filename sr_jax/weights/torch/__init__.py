"""Weights of other implementations: reading, matching and writing PyTorch state dicts."""
