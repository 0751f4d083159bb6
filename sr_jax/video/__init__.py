"""Videos: their frames, colours, time stamps and files."""
