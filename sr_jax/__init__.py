"""Image super-resolution by deconvolution, in JAX."""

__version__ = "0.1.0"
