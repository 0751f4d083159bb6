import re

import pytest

from sr_jax import doctor
from sr_jax.runs import doctor as looking
from sr_jax.system import processes


def test_one_process(tmp_path, capsys):
    status = doctor.main(["--workdir", str(tmp_path / "run"), "--cache_dir", str(tmp_path / "cache")])
    out = capsys.readouterr().out
    assert status == 0, out
    assert re.search(r"^processes   1, on 1 machine\(s\)\n  0: \S+, 4 x cpu \(cpu\), [\d.]+ GiB each$", out, re.MULTILINE)
    assert re.search(r"^versions    python 3\.\d+\.\d+, jax ", out, re.MULTILINE)
    assert out.endswith("nothing to mend\n")
    assert not list((tmp_path / "run").iterdir())


def test_a_work_directory_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert doctor.main(["--workdir", str(tmp_path / "file" / "run"), "--cache_dir", str(tmp_path)]) == 1
    assert re.search(r"mend        process 0 cannot write to .*file/run: Not a directory", capsys.readouterr().out)


def test_too_little_room(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(looking, "free", lambda place: 5 * 2**20)
    assert doctor.main(["--cache_dir", str(tmp_path)]) == 1
    assert f"mend        {tmp_path} has only 5 MiB free" in capsys.readouterr().out


def test_processes_that_differ():
    one = {"versions": {"jax": "1"}, "commit": "a", "devices": "4 x cpu (cpu)"}
    assert list(looking.differences([one, one])) == []
    [line] = looking.differences([one, one, one | {"commit": "b"}])
    assert line == "the code of process 0 (a) and of process 2 (b) differ"


@pytest.fixture
def two_processes(monkeypatch):
    """The first of two processes; the second one writes nowhere and has another clock."""
    monkeypatch.setattr(processes, "count", lambda: 2)
    monkeypatch.setattr(processes, "index", lambda: 0)
    monkeypatch.setattr(processes, "barrier", lambda name, **_: None)
    monkeypatch.setattr(processes, "share", lambda name, data, **_: [data, str(float(data) - 90).encode()])


@pytest.mark.usefixtures("two_processes")
def test_a_work_directory_that_is_not_shared(tmp_path):
    [line] = looking.probe(tmp_path)
    assert line.startswith(f"process 0 does not see what process 1 wrote to {tmp_path}")


@pytest.mark.usefixtures("two_processes")
def test_clocks_that_differ():
    assert looking.clock_skew() == ["the clocks of the processes are 90.0 s apart; synchronise them"]
