"""The network, the loss and the config file of docs/extending.md are trained, resumed, evaluated and converted."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sr_jax import convert, evaluate, networks, train
from tests.runs.short_runs import logged

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/extending.md").read_text()


def write_files(folder: Path) -> Path:
    """Writes the code blocks of the page to the files that their first lines name, and returns the config file."""
    files = dict(re.findall(r"```python\n# (\S+\.py)\n(.*?)```", PAGE, re.DOTALL))
    assert list(files) == ["my_net.py", "mine.py"]
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder / "mine.py"


@pytest.mark.slow
def test_the_page(pictures, tmp_path, cache, capsys):
    config, run = write_files(tmp_path), tmp_path / "run"
    data = ["--config.data.name=folder", f"--config.data.dir={pictures}", "--config.data.leaks=allow", "--config.data.patch=16"]
    sets = [f"--config.eval.sets={pictures}", "--config.data.batch=8", "--config.log_every=1", f"--cache_dir={cache}"]

    def call(command, *arguments) -> str:
        status = command.main([*map(str, arguments)])
        out, err = capsys.readouterr()
        assert status == 0, err
        return out

    # Trained for 2 steps.
    assert "my-net(depth=4) x2, " in call(train, "--config", config, "--workdir", run, "--config.steps=2", *data, *sets)
    row = logged(run)[0]
    np.testing.assert_allclose(row["loss"], row["loss_l1"] + 0.1 * row["loss_gradient_loss"], rtol=1e-5)

    # Resumed with a changed original: refused. Without it: from the copy.
    (tmp_path / "my_net.py").write_text((tmp_path / "my_net.py").read_text() + "# changed\n")
    assert train.main(["--config", str(config), "--workdir", str(run), "--config.steps=4", *data, *sets]) == 2
    assert "my_net.py changed since its run began" in capsys.readouterr().err
    (tmp_path / "my_net.py").unlink()
    config.unlink()
    assert "from 2 to 4 steps" in call(train, "--config", run, "--config.steps=4", f"--cache_dir={cache}")

    # Evaluated and listed, from the work directory and from the weights file with its code.
    options = ["--sets", pictures, "--cache_dir", cache]
    assert "my-net(depth=4)" in call(evaluate, "--model", run, *options)
    assert re.search(r"my-net\(depth=4\) +\| +\| x2", call(networks, "--network", run, "--scale", 2))
    (tmp_path / "moved").mkdir()
    for name in ("weights.safetensors", "weights.json"):
        shutil.copy(run / name, tmp_path / "moved")
    assert evaluate.main(["--model", f"{tmp_path}/moved/weights.safetensors", *map(str, options)]) == 2
    assert "moved/code/my_net.py is missing; copy the folder code along with it" in capsys.readouterr().err
    shutil.copytree(run / "code", tmp_path / "moved/code")
    assert "my-net(depth=4)" in call(evaluate, "--model", tmp_path / "moved/weights.safetensors", *options)

    # Converted to PyTorch's layout and back.
    call(convert, run, "--to", "torch", "--out", tmp_path / "torch.npz")
    assert np.load(tmp_path / "torch.npz")["convolutions.0.weight"].shape == (16, 16, 3, 3)
    call(convert, tmp_path / "torch.npz", "--network", run, "--scale", 2, "--out", tmp_path / "back/weights.safetensors")
    weights = [(folder / "weights.safetensors").read_bytes() for folder in (run, tmp_path / "back")]
    assert len(weights[0]) > 0
    assert weights[0][-1000:] == weights[1][-1000:]


def test_the_help_of_a_config_file_lists_its_own_keys(tmp_path):
    """In a process of its own, where nothing has been imported before."""
    command = [sys.executable, "-m", "sr_jax.train", "--config", str(write_files(tmp_path)), "--help"]
    text = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"--config\.model\.depth INT\W+Convolutions between the first and the last one\. \(default: 4\)", text)


def test_shipped_configs_do_not_import_jax():
    command = "import sys\nfrom sr_jax import config\nconfig.load('configs/x2.py')\nsys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], cwd=ROOT, check=False).returncode == 0
