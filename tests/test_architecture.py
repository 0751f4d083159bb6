"""Rules of the house on which a reader can rely, checked on the syntax trees."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "sr_jax"

MAX_LINES = 350
MAX_TOP_MODULES = 16

COMMANDS = {"train", "evaluate", "preview", "networks", "kernels", "convert", "doctor", "upscale", "prepare"}
"""The commands: arguments, help, exit status."""

PARTS = {"errors", "system", "ops", "metrics", "layers", "models", "data", "pictures", "video", "evaluation", "training"}

MAY_IMPORT = {
    "errors": set(),
    "system": {"errors"},
    "ops": {"errors"},
    "metrics": {"ops"},
    "layers": {"ops", "errors"},
    "models": {"layers", "ops", "errors"},
    "data": {"ops", "system", "errors"},
    "pictures": {"ops", "system", "errors"},
    "video": {"pictures", "ops", "system", "errors"},
    "evaluation": {"data", "models", "metrics", "ops", "system", "errors"},
    "training": {"data", "ops", "system", "errors"},
    "config": {"system", "errors"},
    "weights": {"config", "models", "layers", "ops", "system", "errors"},
    "assembly": {*PARTS, "config", "weights"},
    "runs": {*PARTS, "config", "weights", "assembly"},
    "cli": {"config", "system", "errors"},
    **{command: {"runs", "cli", "config", "system", "errors"} for command in COMMANDS},
    "hub": {"assembly", "weights"},
    "__main__": {*COMMANDS, "cli", "errors"},
    "__init__": {"system", "assembly"},
}
"""What each folder may import of the package, beside itself. A module at the top counts as a folder."""

MODULES = sorted(PACKAGE.rglob("*.py"))


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def folder(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[str]:
    """The modules of the package that a tree imports, with dots."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not followed here"
            if node.module == "sr_jax":
                yield from (
                    f"sr_jax.{alias.name}" for alias in node.names if (PACKAGE / alias.name).exists() or alias.name.islower()
                )
            elif (node.module or "").startswith("sr_jax."):
                yield f"{node.module}"
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("sr_jax."))


def folders_imported(tree: ast.AST) -> set[str]:
    return {module.split(".")[1] for module in imports(tree)}


each_module = pytest.mark.parametrize("path", MODULES, ids=name)


@each_module
def test_imports_point_down(path):
    others = folders_imported(ast.parse(path.read_text())) - {folder(path)}
    assert others <= MAY_IMPORT[folder(path)], f"{name(path)} may not import {others - MAY_IMPORT[folder(path)]}"


@each_module
def test_nothing_is_imported_by_string(path):
    names = {getattr(node, "id", getattr(node, "attr", "")) for node in ast.walk(ast.parse(path.read_text()))}
    assert not names & {"import_module", "__import__", "run_module"}


@pytest.mark.parametrize("path", [path for path in MODULES if folder(path) == "runs"], ids=name)
def test_a_run_imports_no_other_run(path):
    assert "runs" not in folders_imported(ast.parse(path.read_text()))


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_commands_open_before_anything_slow_is_imported(command):
    """The run of a command is imported inside a function, when the arguments are right."""
    tree = ast.parse((PACKAGE / f"{command}.py").read_text())
    top = ast.Module([node for node in tree.body if not isinstance(node, ast.FunctionDef)], [])
    assert "runs" not in folders_imported(top)
    assert f"sr_jax.runs.{command}" in imports(tree) or "sr_jax.runs" in imports(tree)


def test_every_folder_is_known():
    assert {folder(path) for path in MODULES} == MAY_IMPORT.keys()
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_TOP_MODULES


@pytest.mark.parametrize(
    "path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= MAX_LINES


def test_configs_import_only_the_config():
    for path in sorted((ROOT / "configs").glob("*.py")):
        nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Import | ast.ImportFrom)]
        assert [getattr(node, "module", None) for node in nodes] == ["sr_jax.config"], path.name


@each_module
def test_a_key_comes_first(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            names = [argument.arg for argument in node.args.posonlyargs + node.args.args if argument.arg != "self"]
            assert "key" not in names[1:], f"{name(path)}: {node.name}"


@pytest.mark.parametrize(
    "path", [path for path in MODULES if folder(path) in ("ops", "metrics", "data", "evaluation")], ids=name
)
def test_options_are_keyword_only(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            assert not node.args.defaults, f"{name(path)}: {node.name} has a positional parameter with a default"


TESTED_IN = {
    "__init__": "system/test_provenance",
    "__main__": "test_commands",
    **dict.fromkeys(COMMANDS, "test_commands"),
    "assembly/evaluator": "assembly/test_training_images",
    "assembly/made_by": "runs/test_check",
    "assembly/messages": "runs/test_train",
    "assembly/optimizer": "runs/test_train",
    "assembly/pictures": "runs/test_upscale",
    "assembly/pipeline": "assembly/test_training_images",
    "assembly/step": "runs/test_train",
    "assembly/upscale_settings": "runs/test_upscale",
    "assembly/video_upscaler": "runs/test_upscale_videos",
    "assembly/videos": "runs/test_upscale_videos",
    "config/degradations": "config/test_config",
    "config/experiment": "config/test_config",
    "data/degrade/stages": "data/degrade/test_degrade",
    "data/prepared": "data/test_pack",
    "data/records/parts": "data/records/test_store",
    "layers/activation": "layers/test_deconvolution",
    "layers/initializers": "layers/test_deconvolution",
    "models/about": "models/test_models",
    "pictures/formats": "pictures/test_plan",
    "pictures/origin": "runs/test_check",
    "pictures/picture": "pictures/test_read",
    "pictures/preflight": "runs/test_upscale",
    "pictures/read_pillow": "pictures/test_read",
    "pictures/read_tiff": "pictures/test_read",
    "pictures/report": "runs/test_upscale",
    "system/compilation": "runs/test_evaluate",
    "system/places": "assembly/test_training_images",
    "system/remaining": "training/test_progress",
    "training/checkpoint_errors": "training/test_checkpoint",
    "training/state": "training/test_checkpoint",
    "training/step": "training/test_devices",
    "video/plan": "runs/test_upscale_videos",
}
"""Where those modules are tested that have no test file of their own name."""


def test_tests_mirror_the_package():
    for path in MODULES:
        module = path.relative_to(PACKAGE).with_suffix("").as_posix()
        folder, _, stem = module.rpartition("/")
        if folder == "weights/torch/layouts":
            continue  # models/test_models goes through all of them
        if stem == "__init__" and folder:
            stem = Path(folder).name
        own = ROOT / "tests" / folder / f"test_{stem}.py"
        elsewhere = ROOT / "tests" / f"{TESTED_IN.get(module, '-')}.py"
        is_bare = not any(isinstance(node, ast.FunctionDef | ast.ClassDef) for node in ast.parse(path.read_text()).body)
        assert own.exists() or elsewhere.exists() or is_bare, f"{module} has no test"
        assert not (own.exists() and module in TESTED_IN), f"{module} has a test file of its own now"
