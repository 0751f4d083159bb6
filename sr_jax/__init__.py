"""Image super-resolution by deconvolution, in JAX."""

import time

__version__ = "0.1.0"

STARTED = time.monotonic()
"""When the package was first imported: where a command's clock starts."""
