"""What one seed gives on 1 to 8 devices: the bytes of batches, and the parameters up to the order of sums."""

import json
import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT

pytestmark = [pytest.mark.exact, pytest.mark.slow]


@pytest.fixture(scope="module")
def figures(tmp_path_factory):
    """What a process with eight devices finds; this one has four."""
    command = [sys.executable, "-m", "tests.training.eight_devices", str(tmp_path_factory.mktemp("images"))]
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_batches_have_the_same_bytes(figures):
    """Both pipelines bring windows, and the resident one's LR and HR patches are compared too."""
    assert figures["batches"] == {f"{pipeline} {count}": True for count in range(1, 9) for pipeline in ("host", "resident")}


def test_parameters_differ_by_the_order_of_sums(figures):
    """float32 rounds each sum by up to 2^-24 = 6e-8 of it, and a gradient is a sum of thousands of terms that cancel in part.

    So a gradient is known up to some hundred roundings, 1e-5 of the largest one in its array. Adam divides each gradient by its
    own size, and so the smallest ones, of which little is known, move parameters as far as the others. After 8 steps at a
    learning rate of 1e-2 the parameters have moved by up to 8e-2, and may differ by 2e-5.
    """
    assert 0 < figures["far"]["gradients 8"] < 1e-5
    assert all(0 < figures["far"][f"parameters {count}"] < 2e-5 for count in (2, 4, 8))
