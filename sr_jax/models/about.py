"""What a network says of itself, and what it may be told of an image."""

from typing import NamedTuple

from jaxtyping import Array, Float

from sr_jax.errors import InputError


class About(NamedTuple):
    """What a network's class says of itself, as its attribute `about`."""

    name: str
    """As in tables: FSRCNN."""
    paper: str
    """Authors, title, where it appeared."""
    year: int
    upsampler: str
    """How it gets from the LR to the HR grid, in a few words."""
    channels: int
    """1: it reads and returns the Y channel; 3: RGB. Values in [0, 1]."""
    scales: tuple[int, ...]
    last: str
    """Attribute, with dots, of its last layer, whose learning rate some papers lower."""
    is_told: bool = False
    """Whether it is called with what is `Known` of the degradation beside the LR image."""

    def check_scale(self, scale: int) -> None:
        """Raises InputError unless the network has this scale."""
        if scale not in self.scales:
            raise InputError(f"scale={scale}: {self.name} knows the scales {', '.join(map(str, self.scales))}")


class Known(NamedTuple):
    """What is known of the degradation of each LR image of a batch, for networks that are told."""

    kernel: Float[Array, "b k k"]
    """The blur, of odd size and sum 1, by true convolution; its middle tap lies on the pixel of each cell that is kept."""
    noise: Float[Array, " b"]
    """Standard deviation of the noise of R, G and B alike, in the units of the image: 1 is white. That of Y is less."""
