"""Trained weights as files: the weights file and its card, and conversion from and to PyTorch."""
