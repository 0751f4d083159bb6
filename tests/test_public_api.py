"""What users may import: the public names of each package, each documented and with an example that runs."""

import ast
import doctest
import importlib
import itertools
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PUBLIC = {
    "sr_jax.layers": [
        "Converse2D",
        "Deconvolution",
        "FourierDeconv",
        "PReLU",
        "ResizeConv",
        "SubPixel",
        "bilinear",
        "icnr",
        "identity",
    ],
    "sr_jax.metrics": ["checkerboard", "luma", "phase_errors", "psnr", "shave", "ssim"],
    "sr_jax.models": [
        "CARN",
        "DBPN",
        "DRCN",
        "EDSR",
        "ESPCN",
        "FSRCNN",
        "IMDN",
        "SRCNN",
        "VDSR",
        "About",
        "ConverseSRResNet",
        "DeconvSR",
        "Known",
        "LapSRN",
        "SRResNet",
        "USRNet",
        "make",
    ],
    "sr_jax.ops": [
        "apply_jpeg",
        "bicubic_downsample",
        "bicubic_kernel",
        "bicubic_upsample",
        "blur_downsample",
        "blur_downsample_adjoint",
        "constrained_least_squares",
        "conv_transpose2d",
        "crop_border",
        "data_step",
        "data_step_mixed",
        "depth_to_space",
        "edgetaper",
        "enlarge",
        "estimate_noise",
        "extend_border",
        "fourier_product",
        "imresize",
        "imresize_host",
        "inverse_support",
        "network_input",
        "otf_to_psf",
        "psf_to_otf",
        "restore",
        "rgb_to_y",
        "rgb_to_ycbcr",
        "space_to_depth",
        "subpixel_from_transposed",
        "tikhonov",
        "to_float",
        "to_uint8",
        "transposed_from_subpixel",
        "wiener",
        "ycbcr_to_rgb",
    ],
    "sr_jax.ops.blur_kernels": [
        "delta",
        "disk",
        "gaussian",
        "generalised_gaussian",
        "motion",
        "path",
        "plateau",
        "sinc",
        "within",
    ],
}
"""Functions and classes: each needs a docstring with an example."""

CONSTANTS = {
    "sr_jax.layers": ["HE_NORMAL", "LECUN_NORMAL", "PYTORCH_UNIFORM", "SUB_PIXEL_STEPS", "Initializer"],
    "sr_jax.models": ["MODELS"],
    "sr_jax.ops": ["BOUNDARIES"],
}
"""Values and types: each needs a docstring below its assignment."""

MODULES = {"sr_jax.ops": ["blur_kernels"]}
"""Modules that are public as a whole; their names stand above."""


def cases(table: dict[str, list[str]]) -> list:
    return [pytest.param(package, name, id=f"{package}.{name}") for package, names in table.items() for name in names]


@pytest.mark.parametrize("package", PUBLIC)
def test_the_public_names_are_these(package):
    expected = [name for table in (PUBLIC, CONSTANTS, MODULES) for name in table.get(package, [])]
    assert sorted(importlib.import_module(package).__all__) == sorted(expected)


@pytest.mark.parametrize(("package", "name"), cases(PUBLIC))
def test_the_docstring_has_an_example_that_runs(package, name):
    value = getattr(importlib.import_module(package), name)
    assert ">>> " in (value.__doc__ or ""), f"the docstring of {package}.{name} has no example"
    for test in doctest.DocTestFinder().find(value, name, module=False, globs={}):
        report = []
        result = doctest.DocTestRunner(verbose=False).run(test, out=report.append)
        assert not result.failed, "".join(report)


@pytest.mark.parametrize(("package", "name"), cases(CONSTANTS))
def test_a_constant_is_documented_where_it_is_defined(package, name):
    assert name in documented_constants(package)


def documented_constants(package: str) -> set[str]:
    """The names whose assignment, in the modules that the package imports, is followed by a docstring."""
    path = ROOT / package.replace(".", "/") / "__init__.py"
    imported = {node.module for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom) and node.module}
    sources = [path, *(ROOT / f"{module.replace('.', '/')}.py" for module in imported if module.startswith(package))]
    names = set()
    for source in sources:
        body = ast.parse(source.read_text()).body if source.exists() else []
        for node, after in itertools.pairwise(body):
            if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(after, ast.Expr):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names
