import pytest

from sr_jax.training.progress import Progress

METRICS = {"loss": 0.25, "grad_norm": 1.5}
SPEED = {"images_per_s": 1234.0, "wait_share": 0.015}


def test_plain_lines_where_there_is_no_terminal(capsys):
    with Progress(total=100, done=0, terminal=False) as progress:
        progress.advance(50)
        progress.report(METRICS, SPEED)
        progress.say("evaluated")
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("step 50/100  loss 0.25000  grad_norm 1.50000  1,234 images/s  waiting for data 1.5%  ")
    assert first.endswith("? left")  # after one advance there is no speed yet
    assert second == "evaluated"
    assert "\r" not in out + err


def test_a_bar_on_a_terminal(capsys):
    with Progress(total=100, done=20, terminal=True) as progress:
        progress.advance(50)
        progress.report(METRICS, SPEED)
    err = capsys.readouterr().err
    assert "step 50/100" in err
    assert "1,234 images/s" in err
    assert "left" in err


@pytest.mark.parametrize("done", [0, 40])
def test_time_left_counts_only_this_run(capsys, done, monkeypatch):
    clock = iter([7.0, 36.0])
    monkeypatch.setattr("sr_jax.training.progress.time.monotonic", lambda: next(clock))
    with Progress(total=100, done=done, terminal=False) as progress:
        progress.advance(done + 1)  # after compiling, which does not count
        progress.advance(done + 30)
        progress.report(METRICS, SPEED)
    expected = {0: "01:10", 40: "00:30"}[done]
    assert f"{expected} left" in capsys.readouterr().out
