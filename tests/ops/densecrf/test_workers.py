import threading
import time

import numpy as np
import pytest

from weakseg.ops.densecrf.workers import Workers


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("total", [0, 1, 7, 100, 4097])
def test_every_turn_is_taken_once(threads: int, total: int) -> None:
    taken = np.zeros(total, np.int64)

    def loop(array: np.ndarray, start: int, stop: int) -> None:  # type: ignore[type-arg]
        array[start:stop] += 1

    with Workers(threads) as workers:
        workers.run(loop, total, taken, grain=3)
    assert (taken == 1).all()


def test_each_part_has_its_own_private_array() -> None:
    def loop(own: np.ndarray, start: int, stop: int) -> None:  # type: ignore[type-arg]
        own[0] += sum(range(start, stop))

    with Workers(4) as workers:
        sums = np.zeros((workers.shares, 1), np.int64)
        workers.run(loop, 800, private=sums, grain=100)
    assert sums.ravel().tolist() == [sum(range(start, start + 100)) for start in range(0, 800, 100)]


def test_others_go_on_while_one_is_held_up() -> None:
    """The second thread sleeps over its first part; the caller takes all the rest."""
    taken = {}

    def loop(start: int, stop: int) -> None:
        taken[start] = threading.current_thread()
        if threading.current_thread() is not threading.main_thread():
            time.sleep(0.2)

    with Workers(2) as workers:
        workers.run(loop, 4, grain=1)
    assert sorted(taken) == [0, 1, 2, 3]
    assert sum(thread is threading.main_thread() for thread in taken.values()) >= 3


def test_short_ranges_stay_with_the_caller() -> None:
    threads = []
    with Workers(4) as workers:
        workers.run(lambda start, stop: threads.append(threading.current_thread()), 99, grain=50)
    assert threads == [threading.current_thread()]


@pytest.mark.parametrize("threads", [1, 3])
def test_each_call_is_made_once(threads: int) -> None:
    made: list[tuple[int, str]] = []
    calls = [(number, str(number)) for number in range(7)]
    with Workers(threads) as workers:
        workers.each(lambda *call: made.append(call), calls)
    assert sorted(made) == calls


def test_errors_come_back() -> None:
    def loop(start: int, stop: int) -> None:
        if start > 0:
            raise RuntimeError("in the second part")

    with Workers(2) as workers, pytest.raises(RuntimeError, match="second part"):
        workers.run(loop, 10, grain=1)
