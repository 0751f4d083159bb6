"""Trained weights as files."""
