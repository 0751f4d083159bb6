"""Runs that are killed at random moments, and go on with the same bytes."""

import pytest

from benchmarks.fault_kills import kill_again_and_again

KILLS, SEED = 20, 0


@pytest.mark.slow
@pytest.mark.exact
def test_killed_runs_end_with_the_same_bytes(tmp_path):
    killed = kill_again_and_again(tmp_path, kills=KILLS, seed=SEED)
    print(f"seed {SEED}: {killed}")
    assert len(killed.kills) == KILLS
    assert killed.differing == []
    assert sum(kill.was_writing for kill in killed.kills) >= KILLS // 10
    assert len({kill.saved for kill in killed.kills}) >= KILLS // 4  # the runs went on between the kills
