"""Rules of the house that a reader can rely on, checked on the syntax trees."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sr_jax"

# What a part may import of the package. A folder stands for all that it holds, and may import itself.
MAY_IMPORT = {
    "errors": set(),
    "config": {"errors"},
    "ops": {"errors"},
    "layers": {"ops", "errors"},
    "models": {"layers", "ops", "errors"},
    "losses": set(),
    "metrics": {"ops"},  # of which only what is NumPy alone: test_metrics
    "optim": set(),
    "state": set(),
    "interrupt": set(),
    "data": {"ops", "errors", "files"},
    "step": {"data", "ops", "losses", "state"},
    "parallel": {"step", "errors"},
    "checkpoint": {"state", "errors"},
    "files": set(),
    "evaluation": {"data", "ops", "metrics", "errors", "files"},
    "writer": {"files"},
    "figures": {"evaluation", "metrics"},
    "provenance": set(),
    "conversion": {"trained", "weights", "provenance", "models", "layers", "ops", "config", "errors", "files"},
    "weights": {"config", "errors", "files"},
    "watch": {"errors"},
    "workdir": {"config", "errors", "files"},
    "places": set(),
    "cli": {"config", "errors", "places"},
    "inventory": {"config", "errors", "models"},
    "tasks": None,
    "inputs": None,  # these put everything together
    "build": None,
    "loop": None,
    "trained": None,
    "scoring": None,
    "evaluate": {"errors", "places", "scoring"},
    "convert": {"cli", "config", "conversion", "errors"},
    "train": {"cli", "errors", "loop"},
    "__main__": {"subcommands"},
    "subcommands": set(),
    "kernels": {"build", "data", "errors", "models", "ops", "places", "trained"},
    "preview": {"build", "cli", "config", "data", "errors", "inputs"},
}


def part(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    if path.stem == "__main__":  # `python -m sr_jax.data`: a door to command lines, imported by nobody
        return "__main__"
    return relative.parts[0] if len(relative.parts) > 1 else relative.stem


def imported_parts(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "sr_jax":
            assert node.level == 0, f"{path}: relative imports are not followed here"
            below = node.module.split(".")[1:]
            found |= {below[0]} if below else {alias.name for alias in node.names if alias.name.islower()}
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("sr_jax.")}
    return found


MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path != PACKAGE / "__init__.py"]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_point_down(path):
    allowed = MAY_IMPORT[part(path)]
    others = imported_parts(path) - {part(path)}
    assert not others & {"train", "loop", "__main__"} or part(path) == "train"
    assert not others & {"preview", "kernels"} or part(path) == "__main__"
    if allowed is not None:
        assert others <= allowed, f"{path.name} may not import {others - allowed}"


def test_configs_import_the_config_alone():
    for path in sorted((ROOT / "configs").glob("*.py")):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert [getattr(node, "module", None) for node in imports] == ["sr_jax.config"], path.name


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_key_comes_first(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.posonlyargs + node.args.args if argument.arg != "self"]
            assert "key" not in names[1:], f"{path.name}: {node.name}"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if part(path) in ("ops", "metrics", "losses", "data", "figures", "evaluation")], ids=str
)
def test_options_are_keyword_only(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert not node.args.defaults, f"{path.name}: {node.name} has a positional parameter with a default"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_module_has_a_test_or_is_covered(path):
    """tests/ mirrors sr_jax/: a module is tested in the file of its name, or in that of what it is a part of."""
    covered_elsewhere = {
        *("errors", "interrupt", "state", "build", "loop"),  # test_train
        "files",  # test_writer
        "places",  # test_cli, test_inputs
        *(
            "config/__init__",
            "config/networks",
            "config/groups",
            "config/degradations",
            "config/experiment",
            "config/files",
        ),  # test_config
        *("trained", "scoring"),  # test_evaluate
        "step",  # test_parallel
        "ops/ycbcr",  # ops/test_color
        *("data/__main__", "subcommands"),  # test_preview
        "models/__main__",  # test_kernels
        "data/degrade/stages",  # data/degrade/test_degrade
        "data/degrade/__init__",  # data/degrade/test_degrade
        *(
            "layers/activation",
            "layers/initializers",  # layers/test_deconvolution
            "layers/__init__",
            *("models/__init__", "models/about"),  # models/test_models
            *("conversion/__init__", "conversion/mapping"),  # models/test_models
            "conversion/commands",  # test_convert
            "data/__init__",
            "evaluation/__init__",
            "data/sources/__init__",
            "ops/__init__",
        ),
    }
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    folder, _, stem = name.rpartition("/")
    if folder == "conversion/layouts":  # models/test_models
        return
    assert name in covered_elsewhere or (ROOT / "tests" / folder / f"test_{stem}.py").exists(), name
