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
@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_results_come_in_order(threads: int, count: int) -> None:
    made = []

    def work(number: int) -> str:
        made.append(number)
        return str(number)

    with Workers(threads) as workers:
        assert workers.map(work, range(count)) == [str(number) for number in range(count)]
    assert sorted(made) == list(range(count))


def test_errors_come_back() -> None:
    def loop(start: int, stop: int) -> None:
        if start > 0:
            raise RuntimeError("in the second part")

    with Workers(2) as workers, pytest.raises(RuntimeError, match="second part"):
        workers.run(loop, 10, grain=1)
