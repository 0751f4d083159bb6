"""The networks and their sizes: one group of keys for each class of `sr_jax.models`.

The keys of a group are the options of its class in `sr_jax.models.MODELS`, and only the group has their defaults. A new network
is a file in `sr_jax/models/`, a line in `sr_jax/models/__init__.py` and a group here. JAX is not imported, so that `--help` and
wrong keys are answered quickly.
"""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field

from sr_jax.config.degradations import odd
from sr_jax.config.groups import NotNegative
from sr_jax.config.network_registry import NETWORK_GROUPS, NETWORKS, network, publish, tagged_union, title

Width = Annotated[int, Field(gt=0, le=2**14)]
"""Channels of a layer."""
Depth = Annotated[int, Field(gt=0, le=1000)]
"""Layers, or blocks of layers."""
Taps = Annotated[int, Field(gt=0, le=101)]
"""Height and width of a kernel."""


@network
class SRCNNConfig:
    """SRCNN (Dong et al., ECCV 2014 and TPAMI 2016): 9-1-5 by default, 9-5-5 with f2=5."""

    name: Literal["srcnn"] = "srcnn"
    """Which network; the other keys of this group belong to it."""
    n1: Width = 64
    """Filters of the first layer."""
    n2: Width = 32
    """Filters of the second layer."""
    f1: Taps = 9
    """Kernel size of the first layer."""
    f2: Taps = 1
    """Kernel size of the second layer."""
    f3: Taps = 5
    """Kernel size of the third layer."""


publish({"srcnn": SRCNNConfig(), "srcnn-955": SRCNNConfig(f2=5)})


@network
class FSRCNNConfig:
    """FSRCNN (Dong et al., ECCV 2016): (56, 12, 4) by default, (32, 5, 1) is FSRCNN-s."""

    name: Literal["fsrcnn"] = "fsrcnn"
    """Which network; the other keys of this group belong to it."""
    d: Width = 56
    """Channels of the LR features."""
    s: Width = 12
    """Channels of the mapping layers, between shrinking and expanding."""
    m: Depth = 4
    """Number of 3x3 mapping layers."""


publish({"fsrcnn": FSRCNNConfig(), "fsrcnn-s": FSRCNNConfig(d=32, s=5, m=1)})


@network
class ESPCNConfig:
    """ESPCN (Shi et al., CVPR 2016)."""

    name: Literal["espcn"] = "espcn"
    """Which network; the other keys of this group belong to it."""
    n1: Width = 64
    """Filters of the first layer, which is 5x5."""
    n2: Width = 32
    """Filters of the second layer, which is 3x3."""


@network
class VDSRConfig:
    """VDSR (Kim et al., CVPR 2016)."""

    name: Literal["vdsr"] = "vdsr"
    """Which network; the other keys of this group belong to it."""
    depth: Annotated[Depth, Field(ge=2)] = 20
    """Number of convolutions."""
    width: Width = 64
    """Channels of the features."""


@network
class DRCNConfig:
    """DRCN (Kim et al., CVPR 2016)."""

    name: Literal["drcn"] = "drcn"
    """Which network; the other keys of this group belong to it."""
    recursions: Depth = 16
    """How many times the inference layer is applied."""
    width: Width = 256
    """Channels of the features."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Weight of the losses of the single recursions in training; the loss of their average has the rest."""


@network
class LapSRNConfig:
    """LapSRN (Lai et al., CVPR 2017); its authors' released network has taps=3 and use_bias=True."""

    name: Literal["lapsrn"] = "lapsrn"
    """Which network; the other keys of this group belong to it."""
    depth: Depth = 10
    """Convolutions at each level of the pyramid."""
    width: Width = 64
    """Channels of the features."""
    taps: Literal[3, 4] = 4
    """Kernel size of the transposed convolutions of features."""
    use_bias: bool = False
    """Whether the layers of features have biases."""


publish({"lapsrn": LapSRNConfig(), "lapsrn-3x3": LapSRNConfig(taps=3, use_bias=True)})


@network
class SRResNetConfig:
    """SRResNet without batch normalisation (Ledig et al., CVPR 2017; Lim et al., CVPRW 2017)."""

    name: Literal["srresnet"] = "srresnet"
    """Which network; the other keys of this group belong to it."""
    blocks: Depth = 16
    """Residual blocks."""
    width: Width = 64
    """Channels of the features."""


@network
class EDSRConfig:
    """EDSR (Lim et al., CVPRW 2017); EDSR-baseline has 16 blocks of 64 channels and res_scale=1."""

    name: Literal["edsr"] = "edsr"
    """Which network; the other keys of this group belong to it."""
    blocks: Depth = 32
    """Residual blocks."""
    width: Width = 256
    """Channels of the features."""
    res_scale: Annotated[float, Field(gt=0, le=100)] = 0.1
    """Factor that scales the residual of each block."""
    channels: Literal[1, 3] = 3
    """3: RGB. 1: the Y channel."""
    image_skip: bool = False
    """Whether the output is added to LR, enlarged bicubically. The paper does not do this."""


publish({"edsr-baseline": EDSRConfig(blocks=16, width=64, res_scale=1.0), "edsr": EDSRConfig()})


@network
class CARNConfig:
    """CARN (Ahn et al., ECCV 2018); CARN-M has unit=efficient, groups=4 and shared=True."""

    name: Literal["carn"] = "carn"
    """Which network; the other keys of this group belong to it."""
    width: Width = 64
    """Channels of the features."""
    unit: Literal["residual", "efficient"] = "residual"
    """Units of a block: `residual` has two 3x3 convolutions; `efficient` has a 1x1 convolution behind them."""
    groups: Annotated[int, Field(ge=1)] = 1
    """Groups of channels of the 3x3 convolutions in units and upsamplers. It divides the width."""
    shared: bool = False
    """Whether the three units of a block have the same weights."""

    def __post_init__(self) -> None:
        if self.width % self.groups:
            raise ValueError(f"groups={self.groups} must divide width={self.width}")


publish({"carn": CARNConfig(), "carn-m": CARNConfig(unit="efficient", groups=4, shared=True)})


@network
class IMDNConfig:
    """IMDN (Hui et al., ACM MM 2019)."""

    name: Literal["imdn"] = "imdn"
    """Which network; the other keys of this group belong to it."""
    blocks: Depth = 6
    """Information multi-distillation blocks."""
    width: Annotated[Width, Field(ge=16, multiple_of=16)] = 64
    """Channels of the features."""


@network
class DBPNConfig:
    """DBPN (Haris et al., CVPR 2018): D-DBPN by default."""

    name: Literal["dbpn"] = "dbpn"
    """Which network; the other keys of this group belong to it."""
    stages: Annotated[Depth, Field(ge=2)] = 7
    """Number of up-projection units; there is one down-projection unit fewer."""
    width: Width = 64
    """Channels of the projection units."""
    features: Width = 256
    """Channels of the first convolution."""


@network
class USRNetConfig:
    """USRNet (Zhang et al., CVPR 2020); USRNet-tiny has 6 iterations, widths 16 32 64 64 and hyper_width=32."""

    name: Literal["usrnet"] = "usrnet"
    """Which network; the other keys of this group belong to it."""
    iterations: Depth = 8
    """Unrolled iterations; each is a data step and a prior step."""
    widths: tuple[Width, Width, Width, Width] = (64, 128, 256, 512)
    """Channels of the U-net of the prior step at its four resolutions."""
    blocks: Depth = 2
    """Residual blocks at each resolution, on the way down and on the way up."""
    hyper_width: Width = 64
    """Hidden channels of the network that chooses the weight of each data step and the strength of each prior step."""
    boundary: Literal["smooth", "circular"] = "smooth"
    """The data step treats LR as periodic. `smooth`: it is first extended so that opposite borders match; `circular`: it is
    used unchanged."""


publish({"usrnet": USRNetConfig(), "usrnet-tiny": USRNetConfig(iterations=6, widths=(16, 32, 64, 64), hyper_width=32)})


@network
class ConverseSRResNetConfig:
    """Converse-SRResNet (Huang et al., ICCV 2025)."""

    name: Literal["converse-srresnet"] = "converse-srresnet"
    """Which network; the other keys of this group belong to it."""
    blocks: Depth = 16
    """Converse blocks."""
    width: Width = 64
    """Channels of the features."""


@network
class DeconvSRConfig:
    """DeconvSR, the network of this project: it predicts the blur, undoes it in the Fourier domain, and refines the result."""

    name: Literal["deconv-sr"] = "deconv-sr"
    """Which network; the other keys of this group belong to it."""
    channels: Literal[1, 3] = 1
    """1: the Y channel. 3: RGB; one kernel blurs all channels."""
    kernel: Literal["predicted", "static", "given"] = "predicted"
    """`predicted` from each LR image; `static`: one kernel, learned for all images; `given`: the true kernel of each image, as
    its degradation drew it."""
    mode: Literal["regularised", "literal"] = "regularised"
    """`regularised`: the kernel is a blur, with positive taps that sum to 1, and the layer inverts it. `literal`: the kernel is
    G itself in H = F^-1{F{LR} F{G}}; the keys of lambda and x0 then have no effect."""
    kernel_size: Annotated[int, Field(ge=3, le=101), AfterValidator(odd)] = 15
    """Height and width of the predicted or static kernel, odd [HR pixels]."""
    kernel_width: Width = 8
    """Channels of the CNN that predicts the kernel and lambda."""
    kernel_depth: Depth = 3
    """Convolutions of that CNN; the second one halves height and width."""
    kernel_loss: NotNegative = 0.0
    """Weight of a loss on the kernel itself: its L1 distance from the true kernel. 0: no such loss."""
    end_to_end: bool = True
    """Whether the loss of the SR image trains the kernel too; if not, only `kernel_loss` does."""
    lam: Literal["predicted", "learned", "fixed"] = "predicted"
    """How lambda is set: `predicted` from each LR image; `learned`: the same for all images; `fixed` at its initial value."""
    lam_start: Annotated[tuple[Annotated[float, Field(ge=1e-6, le=100)], ...], Field(min_length=1)] = (0.1, 0.01)
    """Initial lambdas. Each gives one deconvolved image; the refinement sees all of them and adds to the first."""
    x0: Literal["zero", "nearest", "bilinear", "bicubic"] = "bicubic"
    """First guess of the deconvolution."""
    blocks: Annotated[int, Field(ge=0, le=1000)] = 2
    """Residual blocks of the refinement, with two convolutions each."""
    width: Width = 14
    """Channels of the refinement."""

    def __post_init__(self) -> None:
        if self.kernel == "given" and self.mode == "literal":
            raise ValueError("mode='literal' convolves with G, but a given kernel is a blur; use mode='regularised'")
        if self.kernel_loss and (self.kernel, self.mode) != ("predicted", "regularised"):
            raise ValueError(
                f"kernel_loss={self.kernel_loss:g} trains a predicted blur: use kernel='predicted' and mode='regularised', or 0"
            )
        if not self.end_to_end and not self.kernel_loss:
            raise ValueError("end_to_end=False leaves nothing to train the kernel: give kernel_loss a weight, such as 0.1")


publish(
    {
        "deconv-sr-small": DeconvSRConfig(),
        "deconv-sr-base": DeconvSRConfig(kernel_width=64, kernel_depth=4, blocks=16, width=64),
    }
)


if TYPE_CHECKING:
    from sr_jax.config.network_registry import NetworkGroup as NetworkConfig
else:
    NetworkConfig = tagged_union()

__all__ = [  # pyright: ignore[reportUnsupportedDunderAll]
    "NETWORKS",
    "NETWORK_GROUPS",
    "NetworkConfig",
    "title",
    *(group.__name__ for group in NETWORK_GROUPS.values()),
]
