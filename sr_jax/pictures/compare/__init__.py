"""A page beside a result, with which one compares it with bicubic interpolation and HR."""
