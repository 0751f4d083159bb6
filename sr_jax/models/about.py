"""What is known about a network, and what a network may be told about an image."""

from typing import NamedTuple

from jaxtyping import Array, Float

from sr_jax.errors import InputError


class About(NamedTuple):
    """Facts about a network: the attribute `about` of its class, and of a module where an option changes them.

    Example:
      >>> from sr_jax.models import FSRCNN
      >>> FSRCNN.about.year, FSRCNN.about.channels, FSRCNN.about.scales
      (2016, 1, (2, 3, 4))
    """

    name: str
    """Name in tables, such as FSRCNN."""
    channels: int
    """1: it reads and returns the Y channel. 3: RGB. Values are in [0, 1]."""
    scales: tuple[int, ...]
    """Scales that the network can have."""
    last: str = ""
    """Attribute of the last layer, with dots; some papers lower its learning rate. Empty if that is of no concern."""
    paper: str = ""
    """Authors, title and venue."""
    year: int | None = None
    """Year of the paper."""
    upsampler: str = ""
    """How the network gets from the LR to the HR grid, in a few words."""
    is_told: bool = False
    """Whether the network is called with an LR image and what is `Known` about it, rather than with an LR image only."""

    def check_scale(self, scale: int) -> None:
        """Raises InputError unless the network can have this scale."""
        if scale not in self.scales:
            raise InputError(f"scale={scale}: {self.name} knows the scales {', '.join(map(str, self.scales))}")


class Known(NamedTuple):
    """What is known about the degradation of each LR image of a batch, for networks that are told.

    Example:
      >>> import jax.numpy as jnp
      >>> from sr_jax.models import Known
      >>> known = Known(kernel=jnp.full((2, 3, 3), 1 / 9), noise=jnp.zeros(2))  # two images, a 3x3 mean, no noise
    """

    kernel: Float[Array, "b k k"]
    """Blur kernels of odd size and sum 1, for true convolution. The middle tap lies on the pixel that subsampling keeps."""
    noise: Float[Array, " b"]
    """Standard deviation of the noise in each of R, G and B, where white is 1. The noise in Y is weaker."""
