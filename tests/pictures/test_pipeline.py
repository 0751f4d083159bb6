import threading

import pytest

from sr_jax.errors import InputError, NotFiniteError
from sr_jax.pictures.pipeline import Stopped, process, pump


def run(jobs, *, most=100, size=lambda job: job, **steps):
    same = {"load": lambda job: job, "compute": lambda job, x: (job, x), "save": lambda job, x: x}
    return list(process(jobs, **{**same, **steps}, size=size, most=most))


def test_results_come_in_order():
    assert run([3, 1, 2]) == [(3, (3, 3)), (1, (1, 1)), (2, (2, 2))]
    assert run([]) == []


@pytest.mark.parametrize("step", ["load", "compute", "save"])
@pytest.mark.parametrize("error", [InputError("bad"), OSError("gone"), MemoryError()])
def test_a_bad_picture_does_not_stop_the_others(step, error):
    def fail(job, *values):
        if job == 2:
            raise error
        return values[0] if values else job

    results = run([1, 2, 3, 4], **{step: fail})
    assert [job for job, _ in results] == [1, 2, 3, 4]
    assert [result for job, result in results if isinstance(result, BaseException)] == [error]


@pytest.mark.parametrize("error", [NotFiniteError("weights"), RuntimeError("a mistake")])
def test_an_error_of_the_run_ends_it(error):
    def fail(*_):
        raise error

    with pytest.raises(type(error), match=str(error)):
        run([1, 2, 3], compute=fail)


@pytest.mark.parametrize(("most", "greatest"), [(10, 10), (25, 25), (3, 9)])
def test_pictures_in_progress_stay_within_the_memory(most, greatest):
    """A larger one is in progress by itself."""
    jobs, held, peak, lock = [4, 9, 3, 2, 8, 5, 1, 9, 9, 2], 0, 0, threading.Lock()

    def load(job):
        nonlocal held, peak
        with lock:
            held += job
            peak = max(peak, held)
        return job

    for job, _ in process(jobs, load=load, compute=lambda _, x: x, save=lambda _, x: x, size=lambda job: job, most=most):
        held -= job
    assert 9 <= peak <= greatest


def test_items_are_consumed_in_a_thread_while_the_next_is_computed():
    taken, met = [], threading.Barrier(2, timeout=30)

    def items():
        for item in range(5):
            if item == 2:
                met.wait()
            yield item

    def consume(given):
        for item in given:
            if item == 1:
                met.wait()  # the computation of the next item goes on meanwhile
            taken.append((item, threading.current_thread()))

    pump(items(), consume)
    assert [item for item, _ in taken] == [0, 1, 2, 3, 4]
    assert {thread for _, thread in taken} != {threading.current_thread()}


def test_an_error_on_either_side_ends_both():
    began, ended = [], []

    def consume(given):
        try:
            for item in given:
                began.append(item)
        except Stopped:
            ended.append("stopped")
            raise

    def items(error):
        yield 1
        raise error

    for error in (InputError("damaged"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            pump(items(error), consume)
    assert (began, ended) == ([1, 1], ["stopped", "stopped"])

    def full(given):
        next(given)
        raise OSError("the disk is full")

    computed = []
    with pytest.raises(OSError, match="full"):
        pump((computed.append(i) for i in range(1000)), full)
    assert len(computed) < 1000
