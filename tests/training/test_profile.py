import gzip
import json

import jax
import jax.numpy as jnp
import pytest

from sr_jax.training.profile import Profile, whole_dispatches


@pytest.mark.parametrize(
    ("asked", "options", "expected"),
    [
        (range(10, 20), {}, range(10, 20)),
        (range(10, 20), {"steps_per_dispatch": 4}, range(8, 20)),
        (range(10, 19), {"steps_per_dispatch": 4}, range(8, 20)),
        (range(10, 2000), {}, range(10, 100)),  # beyond the end
        (range(10, 20), {"start": 16}, range(16, 20)),  # partly done
        (range(10, 20), {"start": 20}, range(0)),  # done
        (range(10, 20), {"start": 40}, range(0)),
        (range(0), {}, range(0)),
    ],
)
def test_whole_dispatches(asked, options, expected):
    assert whole_dispatches(asked, **{"start": 0, "stop": 100, "steps_per_dispatch": 1} | options) == expected


def perfetto(folder):
    """The events of the one recording in a folder, as Perfetto reads them."""
    [file] = folder.rglob("perfetto_trace.json.gz")
    with gzip.open(file) as stream:
        return json.load(stream)["traceEvents"]


def test_a_recording_that_an_error_ends_is_written(tmp_path):
    add = jax.jit(lambda x: x + 1)

    def run(profile):
        with profile:
            profile.begin()
            with jax.profiler.StepTraceAnnotation("step", step_num=3):
                add(jnp.zeros(())).block_until_ready()
            raise ValueError("diverged")

    profile = Profile(tmp_path, range(3, 9))
    assert [step for step in range(12) if profile.begins_at(step)] == [3]
    assert [step for step in range(12) if profile.ends_at(step)] == [9]
    with pytest.raises(ValueError, match="diverged"):
        run(profile)
    assert [event["args"]["step_num"] for event in perfetto(tmp_path) if event.get("name") == "step"] == ["3"]
    assert list(tmp_path.rglob("*.xplane.pb"))


def test_without_steps_nothing_is_recorded(tmp_path):
    with Profile(tmp_path, range(0)) as profile:
        assert not profile.begins_at(0)
        assert not profile.ends_at(0)
        profile.end()
    assert not list(tmp_path.iterdir())


def test_a_recording_that_fails_is_a_warning(tmp_path, capsys, monkeypatch):
    stop = jax.profiler.stop_trace

    def fail():
        stop()
        raise OSError("the disk is full")

    monkeypatch.setattr("jax.profiler.stop_trace", fail)
    with Profile(tmp_path, range(3)) as profile, Profile(tmp_path, range(3)) as another:
        profile.begin()
        another.begin()  # only one can record at a time
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("warning: the profile could not be recorded (Profile has already been started")
    assert second == "warning: the profile could not be recorded (the disk is full)"
