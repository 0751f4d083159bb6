from pathlib import Path


def write(tmp_path: Path, text: str) -> Path:
    """Writes a config file that has all names of `sr_jax.config`."""
    path = tmp_path / "experiment.py"
    path.write_text(f"from sr_jax.config import *\n{text}\n")
    return path
