import threading

import pytest

from sr_jax.video.stages import overlapped


def test_frames_keep_their_order_and_stages_overlap():
    threads = {"main": threading.get_ident()}
    is_reading_ahead = threading.Event()

    def items():
        threads["load"] = threading.get_ident()
        for i in range(20):
            if i == 2:
                is_reading_ahead.set()
            yield i

    def compute(i):
        assert is_reading_ahead.wait(5)  # while the first one is computed, others are read
        assert threading.get_ident() == threads["main"]
        return 2 * i

    def save(i):
        threads["save"] = threading.get_ident()
        return i + 1

    assert list(overlapped(items(), compute=compute, save=save)) == [2 * i + 1 for i in range(20)]
    assert len({*threads.values()}) == 3


@pytest.mark.parametrize("stage", ["load", "compute", "save"])
def test_the_first_error_ends_everything(stage):
    saved = []

    def fail(here, i):
        if here == stage and i == 3:
            raise ZeroDivisionError
        return i

    items = (fail("load", i) for i in range(100))
    with pytest.raises(ZeroDivisionError):
        list(overlapped(items, compute=lambda i: fail("compute", i), save=lambda i: saved.append(fail("save", i))))
    assert saved == list(range(len(saved)))
    assert len(saved) < 10
