"""The networks and their sizes, one group a paper: the options of the class that `sr_jax.models.MODELS` has under its name."""

import dataclasses
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from sr_jax.config.degradations import odd
from sr_jax.config.groups import NETWORK_GROUPS, PUBLISHED, group


@group
class SRCNNConfig:
    """SRCNN (Dong et al., ECCV 2014 and TPAMI 2016): 9-1-5 by default; 9-5-5 with f2=5."""

    name: Literal["srcnn"] = "srcnn"
    """Which model; the other keys of this group are its own."""
    n1: PositiveInt = 64
    """Filters of the first layer."""
    n2: PositiveInt = 32
    """Filters of the second layer."""
    f1: PositiveInt = 9
    """Kernel size of the first layer."""
    f2: PositiveInt = 1
    """Kernel size of the second layer."""
    f3: PositiveInt = 5
    """Kernel size of the third layer."""


@group
class FSRCNNConfig:
    """FSRCNN (Dong et al., ECCV 2016): (56, 12, 4) by default; FSRCNN-s is (32, 5, 1)."""

    name: Literal["fsrcnn"] = "fsrcnn"
    """Which model; the other keys of this group are its own."""
    d: PositiveInt = 56
    """Channels of the LR features."""
    s: PositiveInt = 12
    """Channels after shrinking, in which the mapping works."""
    m: PositiveInt = 4
    """Number of 3x3 mapping layers."""


@group
class ESPCNConfig:
    """ESPCN (Shi et al., CVPR 2016)."""

    name: Literal["espcn"] = "espcn"
    """Which model; the other keys of this group are its own."""
    n1: PositiveInt = 64
    """Filters of the first layer, 5x5."""
    n2: PositiveInt = 32
    """Filters of the second layer, 3x3."""


@group
class VDSRConfig:
    """VDSR (Kim et al., CVPR 2016)."""

    name: Literal["vdsr"] = "vdsr"
    """Which model; the other keys of this group are its own."""
    depth: Annotated[int, Field(ge=2)] = 20
    """Number of convolutions."""
    width: PositiveInt = 64
    """Channels of the features."""


@group
class DRCNConfig:
    """DRCN (Kim et al., CVPR 2016)."""

    name: Literal["drcn"] = "drcn"
    """Which model; the other keys of this group are its own."""
    recursions: PositiveInt = 16
    """How often the one inference layer is applied."""
    width: PositiveInt = 256
    """Channels of the features."""
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Weight of the recursions' own losses in training; the rest is that of their average."""


@group
class LapSRNConfig:
    """LapSRN (Lai et al., CVPR 2017)."""

    name: Literal["lapsrn"] = "lapsrn"
    """Which model; the other keys of this group are its own."""
    depth: PositiveInt = 10
    """Convolutions of a level of the pyramid."""
    width: PositiveInt = 64
    """Channels of the features."""


@group
class SRResNetConfig:
    """SRResNet without batch normalisation (Ledig et al., CVPR 2017; Lim et al., CVPRW 2017)."""

    name: Literal["srresnet"] = "srresnet"
    """Which model; the other keys of this group are its own."""
    blocks: PositiveInt = 16
    """Residual blocks."""
    width: PositiveInt = 64
    """Channels of the features."""


@group
class EDSRConfig:
    """EDSR (Lim et al., CVPRW 2017); EDSR-baseline has 16 blocks of 64 channels, and res_scale=1."""

    name: Literal["edsr"] = "edsr"
    """Which model; the other keys of this group are its own."""
    blocks: PositiveInt = 32
    """Residual blocks."""
    width: PositiveInt = 256
    """Channels of the features."""
    res_scale: PositiveFloat = 0.1
    """Factor of each block's residual."""
    channels: Literal[1, 3] = 3
    """3: RGB. 1: the Y channel."""
    image_skip: bool = False
    """Adds the result to LR, enlarged bicubically. The paper does not."""


@group
class CARNConfig:
    """CARN (Ahn et al., ECCV 2018)."""

    name: Literal["carn"] = "carn"
    """Which model; the other keys of this group are its own."""
    width: PositiveInt = 64
    """Channels of the features."""


@group
class IMDNConfig:
    """IMDN (Hui et al., ACM MM 2019)."""

    name: Literal["imdn"] = "imdn"
    """Which model; the other keys of this group are its own."""
    blocks: PositiveInt = 6
    """Information multi-distillation blocks."""
    width: Annotated[int, Field(ge=16, multiple_of=16)] = 64
    """Channels of the features."""


@group
class DBPNConfig:
    """DBPN (Haris et al., CVPR 2018): D-DBPN by default."""

    name: Literal["dbpn"] = "dbpn"
    """Which model; the other keys of this group are its own."""
    stages: Annotated[int, Field(ge=2)] = 7
    """Up-projection units; there is one down-projection unit fewer."""
    width: PositiveInt = 64
    """Channels of the projection units."""
    features: PositiveInt = 256
    """Channels of the first features."""


@group
class USRNetConfig:
    """USRNet (Zhang et al., CVPR 2020); USRNet-tiny has 6 iterations, widths (16, 32, 64, 64), hyper_width=32."""

    name: Literal["usrnet"] = "usrnet"
    """Which model; the other keys of this group are its own."""
    iterations: PositiveInt = 8
    """Unrolled iterations: a data step and a prior step each."""
    widths: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 128, 256, 512)
    """Channels of the prior's U-net at its four resolutions."""
    blocks: PositiveInt = 2
    """Residual blocks at each resolution, on either way."""
    hyper_width: PositiveInt = 64
    """Hidden channels of the network that sets the weight of each data step and the strength of each prior step."""
    boundary: Literal["smooth", "circular"] = "smooth"
    """The network takes LR for periodic. `smooth`: it is extended before so that it is; `circular`: it is taken as it is."""


@group
class ConverseSRResNetConfig:
    """Converse-SRResNet (Huang et al., ICCV 2025)."""

    name: Literal["converse-srresnet"] = "converse-srresnet"
    """Which model; the other keys of this group are its own."""
    blocks: PositiveInt = 16
    """Converse blocks."""
    width: PositiveInt = 64
    """Channels of the features."""


@group
class DeconvSRConfig:
    """The founding system, DeconvSR: predict the kernel, deconvolve in the Fourier domain, refine."""

    name: Literal["deconv-sr"] = "deconv-sr"
    """Which model; the other keys of this group are its own."""
    channels: Literal[1, 3] = 1
    """1: the Y channel; 3: RGB, all channels blurred alike."""
    kernel: Literal["predicted", "static", "given"] = "predicted"
    """`predicted` from each LR image; `static`: learned, one for all; `given`: each image's true one, from its degradation."""
    mode: Literal["regularised", "literal"] = "regularised"
    """`regularised`: the kernel is a blur, with taps that are positive and sum to 1, and is undone. `literal`: it is G itself,
    in H = F^-1{F{LR} F{G}}; the keys of lambda and x0 then say nothing."""
    kernel_size: Annotated[int, Field(ge=3, le=101), AfterValidator(odd)] = 15
    """Taps a side of the predicted or static kernel, odd."""
    kernel_width: PositiveInt = 8
    """Channels of the network that predicts kernel and lambda."""
    kernel_depth: PositiveInt = 3
    """Its convolutions; the second halves height and width."""
    kernel_loss: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    """Weight of a loss of the kernel's own, its L1 distance from the true one; 0: none."""
    end_to_end: bool = True
    """Whether the restoration's loss trains the kernel too; otherwise `kernel_loss` alone does."""
    lam: Literal["predicted", "learned", "fixed"] = "predicted"
    """lambda: `predicted` from each LR image, `learned`, one for all, or `fixed` to its start."""
    lam_start: Annotated[tuple[Annotated[float, Field(ge=1e-6, le=100)], ...], Field(min_length=1)] = (0.1, 0.01)
    """Initial lambda of each deconvolved image; the refinement sees all of them, and adds to the first."""
    x0: Literal["zero", "nearest", "bilinear", "bicubic"] = "bicubic"
    """First guess of the deconvolution."""
    blocks: Annotated[int, Field(ge=0)] = 2
    """Residual blocks of the refinement, two convolutions each."""
    width: PositiveInt = 14
    """Channels of the refinement."""

    def __post_init__(self) -> None:
        if self.kernel == "given" and self.mode == "literal":
            raise ValueError("mode='literal' convolves with G, and a given kernel is the blur; use mode='regularised'")
        if self.kernel_loss and (self.kernel, self.mode) != ("predicted", "regularised"):
            raise ValueError(
                f"kernel_loss={self.kernel_loss:g} trains a predicted blur: use kernel='predicted' and mode='regularised', or 0"
            )
        if not self.end_to_end and not self.kernel_loss:
            raise ValueError("end_to_end=False leaves nothing to train the kernel: give kernel_loss a weight, such as 0.1")


NetworkConfig = Annotated[
    SRCNNConfig
    | FSRCNNConfig
    | ESPCNConfig
    | VDSRConfig
    | DRCNConfig
    | LapSRNConfig
    | SRResNetConfig
    | EDSRConfig
    | CARNConfig
    | IMDNConfig
    | DBPNConfig
    | USRNetConfig
    | ConverseSRResNetConfig
    | DeconvSRConfig,
    Field(discriminator="name"),
]

NETWORKS: dict[str, Any] = {
    "srcnn": SRCNNConfig(),
    "srcnn-955": SRCNNConfig(f2=5),
    "fsrcnn": FSRCNNConfig(),
    "fsrcnn-s": FSRCNNConfig(d=32, s=5, m=1),
    "espcn": ESPCNConfig(),
    "vdsr": VDSRConfig(),
    "drcn": DRCNConfig(),
    "lapsrn": LapSRNConfig(),
    "srresnet": SRResNetConfig(),
    "edsr-baseline": EDSRConfig(blocks=16, width=64, res_scale=1.0),
    "edsr": EDSRConfig(),
    "carn": CARNConfig(),
    "imdn": IMDNConfig(),
    "dbpn": DBPNConfig(),
    "usrnet": USRNetConfig(),
    "usrnet-tiny": USRNetConfig(iterations=6, widths=(16, 32, 64, 64), hyper_width=32),
    "converse-srresnet": ConverseSRResNetConfig(),
    "deconv-sr-small": DeconvSRConfig(),
    "deconv-sr-base": DeconvSRConfig(kernel_width=64, kernel_depth=4, blocks=16, width=64),
}
"""The published networks and the founding system, by the names under which tables and command lines know them."""

PUBLISHED.update(NETWORKS)
NETWORK_GROUPS.update({network.name: type(network) for network in NETWORKS.values()})


def title(network: Any) -> str:
    """The name of a published network; of other sizes that of their group, and the keys in which they differ from it."""
    found = next((name for name, published in NETWORKS.items() if published == network), None)
    ours, usual = dataclasses.asdict(network), dataclasses.asdict(type(network)())
    return found or f"{network.name}({', '.join(f'{key}={ours[key]}' for key in ours if ours[key] != usual[key])})"
