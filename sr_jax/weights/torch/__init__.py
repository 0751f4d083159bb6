"""Weights of PyTorch implementations."""
