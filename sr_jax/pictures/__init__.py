"""Reads and writes pictures of users: all depths, alpha, colour profiles and the rest of their metadata."""
