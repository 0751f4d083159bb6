"""Image super-resolution by deconvolution, in JAX.

Commands are run as `python -m sr_jax.COMMAND`, and `python -m sr_jax` lists them. As a library, `sr_jax.ops` has functions on
arrays, `sr_jax.layers` modules with parameters, `sr_jax.models` the networks, and `sr_jax.metrics` PSNR and SSIM.
"""

import time

from sr_jax.system.interruption import end_quietly_while_importing

__version__ = "0.1.0"

STARTED = time.monotonic()
"""When the package was imported [s]. A command measures its running time from here."""

end_quietly_while_importing()
