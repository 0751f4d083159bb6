"""The lock of a work directory. Those of a file system are also tested in config/test_workdir."""

import json
import time

import pytest

from sr_jax.system import locks
from sr_jax.system.locks import InUse, held, held_in_bucket
from sr_jax.system.paths import to_path

LOCK = to_path("gs://bucket/run/.lock")
KEY = "run/.lock"


def leave_behind(cloud, *, seconds, **changes):
    """Puts a lock there that was renewed last some time ago, by the clock of the cloud."""
    holder = {
        "token": "1",
        "host": "elsewhere",
        "process": 12,
        "since": "2026-01-01T00:00:00+00:00",
        "machine": "another",
        "began": "1",
    }
    cloud.put(KEY, json.dumps(holder | changes).encode())
    cloud.objects[KEY].updated -= seconds


def test_one_holder_at_a_time(tmp_path, cloud):
    for path in (tmp_path / ".lock", LOCK):
        with held(path), pytest.raises(InUse), held(path):
            pass
        with held(path):
            pass
    assert not cloud.objects


def test_the_holder_is_named(cloud):
    del cloud
    with held(LOCK), pytest.raises(InUse, match=r"process \d+ on .*, since 20..-..-.*; it was last seen \d s ago"), held(LOCK):
        pass


@pytest.mark.parametrize("ahead", [0, 4000, -4000])
def test_a_lock_that_is_not_renewed_is_taken_over(cloud, capsys, ahead):
    """The clock of this machine does not matter."""
    cloud.ahead = ahead
    leave_behind(cloud, seconds=200)
    with held(LOCK):
        assert json.loads(cloud.objects[KEY].data)["host"] != "elsewhere"
    message = "is left from a run that is dead (process 12 on elsewhere, since 2026-01-01T00:00:00+00:00; it was last seen "
    assert message in capsys.readouterr().err


def test_a_lock_that_is_renewed_is_respected(cloud, capsys, monkeypatch):
    leave_behind(cloud, seconds=100)
    monkeypatch.setattr(time, "sleep", lambda _: setattr(cloud.objects[KEY], "updated", time.time()))
    with pytest.raises(InUse, match="process 12 on elsewhere"), held(LOCK):
        pass
    assert "waiting for a sign of life" in capsys.readouterr().err
    assert KEY in cloud.objects


def test_a_lock_of_a_process_that_has_ended_on_this_machine(cloud, capsys):
    """It is not waited for, and neither is one of a process that lives."""
    leave_behind(cloud, seconds=1, machine=locks._machine(), process=2**22 + 1)
    with held(LOCK):
        pass
    assert "is left from a run that is dead" in capsys.readouterr().err
    leave_behind(cloud, seconds=1, machine=locks._machine(), process=1, began=locks._began(1))
    with pytest.raises(InUse, match="process 1 on"), held(LOCK):
        pass


def test_a_damaged_lock_counts_by_its_age(cloud, capsys):
    cloud.put(KEY, b"{}")
    cloud.objects[KEY].updated -= 200
    with held(LOCK):
        pass
    assert "is left from a run that is dead (an unknown process; it was" in capsys.readouterr().err


def test_it_is_renewed_and_its_loss_is_noticed(cloud):
    lost = []
    with held_in_bucket(LOCK, renew_after=0.05, on_lost=lost.append):
        before = cloud.objects[KEY].updated
        wait_for(lambda: cloud.objects[KEY].updated > before + 0.1)
        cloud.fault = lambda method, path: 403 if method == "PATCH" else None
        time.sleep(0.2)
        cloud.fault = lambda method, path: None
        assert not lost
        leave_behind(cloud, seconds=0)
        wait_for(lambda: lost)
    assert lost[0].startswith("gs://bucket/run/.lock was taken over by another run (process 12 on elsewhere")
    assert cloud.objects[KEY].data.startswith(b'{"token": "1"')  # it is not ours to remove


def test_a_lock_whose_answer_was_lost_is_recognised(cloud):
    """gcsfs repeats the request, and finds what the first one wrote."""
    create = type(LOCK).create

    class Path(type(LOCK)):
        def create(self, data):
            create(self, data)
            create(self, data)

    with held_in_bucket(Path(str(LOCK))):
        assert KEY in cloud.objects


def test_two_that_take_over_at_once(cloud):
    """The second one finds that what it saw is gone, and waits for the first."""
    leave_behind(cloud, seconds=200)
    ask = type(LOCK).ask

    class Path(type(LOCK)):
        def ask(self, method, **options):
            if method == "DELETE" and json.loads(cloud.objects[KEY].data)["token"] == "1":
                leave_behind(cloud, seconds=0, token="2", machine=locks._machine(), process=1, began=locks._began(1))
            return ask(self, method, **options)

    with pytest.raises(InUse, match="process 1 on elsewhere"), held_in_bucket(Path(str(LOCK))):
        pass
    assert json.loads(cloud.objects[KEY].data)["token"] == "2"


def wait_for(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
