"""`launch/tpu.sh`, with a stand-in for `gcloud` in `bin/`."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.launch.scripts import HERE, run

SETTINGS = {
    "NAME": "x2",
    "PROJECT": "my-project",
    "ZONE": "us-east5-a",
    "TOPOLOGY": "2x4",
    "WORKDIR": "gs://my-bucket/runs/x2",
    "ACCELERATOR_TYPE": "v5litepod-16",
    "RUNTIME_VERSION": "v2-alpha-tpuv5-lite",
}
TRAIN = ["start", "--", "--config", "configs/x2.py", "--config.name", "it's"]


def launch(*arguments: str, notes: Path | None = None, **settings: str) -> subprocess.CompletedProcess[str]:
    return run("tpu.sh", *arguments, settings={"STAND_IN_NOTES": str(notes), **SETTINGS, **settings}, stand_ins=True)


DRY_RUNS = {
    "create": (["create"], {}),
    "create_spot": (["create"], {"SPOT": "1", "MACHINE_TYPE": "tpu7x-standard-4t", "TOPOLOGY": "2x2x4"}),
    "create_one_host": (["create"], {"TOPOLOGY": "2x2", "TEMPLATE_FLAGS": "--network=a --subnet=b"}),
    "install": (["install"], {}),
    "start": (TRAIN, {"RESTARTS": "3"}),
    "logs": (["logs"], {}),
    "stop": (["stop"], {}),
    "fetch": (["fetch"], {}),
    "delete": (["delete"], {}),
    "legacy_create": (["--legacy", "create"], {"SPOT": "1"}),
    "legacy_install": (["--legacy", "install"], {}),
    "legacy_start": (["--legacy", *TRAIN], {}),
    "legacy_delete": (["--legacy", "delete"], {}),
}


@pytest.mark.parametrize("name", DRY_RUNS)
def test_a_dry_run_prints_the_commands(name, tmp_path):
    arguments, settings = DRY_RUNS[name]
    result = launch("--dry-run", *arguments, notes=tmp_path, **settings)
    assert result.returncode == 0
    assert result.stdout == (HERE / f"golden/tpu_{name}.txt").read_text()
    assert not list(tmp_path.iterdir()), "a dry run called gcloud"


FLAGS = {
    command: set(flags.split())
    for command, _, flags in (line.partition(": ") for line in (HERE / "gcloud_flags.txt").read_text().splitlines()[1:])
}
FLAGS_OF_ALL = {"--project", "--quiet", "--format"}


@pytest.mark.parametrize("path", sorted((HERE / "golden").glob("*.txt")), ids=lambda path: path.stem)
def test_gcloud_knows_every_flag(path):
    words = shlex.split(path.read_text().replace("\ngcloud ", "\n; gcloud "), comments=path.stem.startswith("gke"))
    commands = [command.split("\0") for command in "\0".join(words).split("\0;\0")]
    for command in commands:
        if command[0] != "gcloud":
            continue
        known = max((name for name in FLAGS if " ".join(command).startswith(name + " ")), key=len)
        used = {word.partition("=")[0] for word in command if word.startswith("--")}
        assert used <= FLAGS[known] | FLAGS_OF_ALL, known


def test_the_remote_command_gets_its_arguments_unchanged(tmp_path):
    """The host's shell takes the printed command apart as it was meant."""
    script = (HERE / "golden/tpu_start.txt").read_text().partition("\n")[2]
    command = next(word for word in shlex.split(script) if word.startswith("--command=")).removeprefix("--command=")
    show = tmp_path / "sudo"
    show.write_text('#!/bin/sh\n[ "$1" = systemd-run ] || exit 1\nfor word; do echo "$word"; done\n')
    show.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/home/me"}
    words = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    python = words.index("/home/me/sr_jax/.venv/bin/python")
    assert words[python + 1 :] == [
        *["-m", "sr_jax.train", "--distributed", "--workdir", "gs://my-bucket/runs/x2"],
        *["--config", "configs/x2.py", "--config.name", "it's"],
    ]
    # systemd restarts by the exit status: after 75 and 1, and never after 2.
    assert {"--property=Restart=on-failure", "--property=RestartPreventExitStatus=2"} <= set(words[:python])


def test_all_hosts_are_asked_at_once_and_their_lines_have_their_names(tmp_path):
    result = launch("stop", notes=tmp_path)
    assert (result.returncode, result.stderr) == (0, "")
    assert sorted(result.stdout.splitlines()) == ["[x2-aaaa] hello from x2-aaaa", "[x2-bbbb] hello from x2-bbbb"]
    listed, *asked = (tmp_path / "gcloud").read_text().splitlines()
    assert listed.startswith("compute instance-groups managed list-instances x2 ")
    assert len(asked) == 2


def test_one_host_that_fails_is_a_failure(tmp_path):
    result = launch("stop", notes=tmp_path, STAND_IN_BROKEN="x2-aaaa")
    assert result.returncode == 1
    assert "[x2-bbbb] hello from x2-bbbb" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ([], {}, "what should be done?"),
        (["begin"], {}, "begin: there are"),
        (["create", "delete"], {}, "create and delete: one at a time"),
        (["start"], {}, "start needs the arguments of sr_jax.train"),
        (["stop", "--", "x"], {}, "stop takes no arguments"),
        (["create"], {"ZONE": ""}, "ZONE is not set. It should be, for example, ZONE=us-east5-a"),
        (["start", "--", "x"], {"WORKDIR": ""}, "WORKDIR is not set. It should be, for example, WORKDIR=gs://"),
        (["start", "--", "x"], {"WORKDIR": "runs/x2"}, "WORKDIR=runs/x2: all hosts must reach it"),
        (["create"], {"TOPOLOGY": "16"}, "TOPOLOGY=16: it should be like 4x4"),
        (["create"], {"TOPOLOGY": "1x1"}, "TOPOLOGY=1x1 has fewer chips than one host of MACHINE_TYPE=ct6e-standard-4t"),
        (["create"], {"MACHINE_TYPE": "n2-standard-8"}, "MACHINE_TYPE=n2-standard-8: its end should be the number of chips"),
        (["create"], {"MACHINE_TYPE": "ct5lp-hightpu-4t"}, "MACHINE_TYPE=ct5lp-hightpu-4t: it should be ct6e-*"),
        (["--legacy", "create"], {"RUNTIME_VERSION": ""}, "RUNTIME_VERSION is not set"),
    ],
)
def test_wrong_input_has_status_2(tmp_path, arguments, settings, message):
    result = launch(*arguments, notes=tmp_path, **settings)
    assert result.returncode == 2
    assert result.stderr.startswith(f"launch/tpu.sh: {message}")
    assert not list(tmp_path.iterdir()), "gcloud was called"


def test_the_help_names_every_setting():
    result = launch("--help")
    assert result.returncode == 0
    for word in (*SETTINGS, "SPOT", "MACHINE_TYPE", "TEMPLATE_FLAGS", "RESTARTS", "--dry-run", "--legacy"):
        assert word in result.stdout
