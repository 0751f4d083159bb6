"""Weights of other implementations: their files, their names, their arrangement of axes."""
