"""Threads: as many as may work, and results in the order of the parts."""

import threading

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from cornac_mle import workers


@pytest.mark.parametrize(
    ("given", "count"), [("1", 1), ("3", 3), ("64", workers.MOST_WORKERS), ("2,4", 2)]
)
def test_omp_num_threads_says_how_many_work(given, count, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert workers.worker_count() == count


@pytest.mark.parametrize("given", ["", "0", "many"])
def test_without_it_all_processors_work(given, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", given)
    monkeypatch.setattr(workers.os, "sched_getaffinity", lambda _: {0, 5, 7}, raising=False)
    assert workers.worker_count() == 3
    monkeypatch.delattr(workers.os, "sched_getaffinity")
    monkeypatch.setattr(workers.os, "cpu_count", lambda: None)
    assert workers.worker_count() == 1


def test_parts_are_worked_on_at_the_same_time_and_keep_their_order(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    both = threading.Barrier(2, timeout=30)  # passes only if two threads wait at it

    def wait(part):
        both.wait()
        return 10 * part

    assert workers.in_threads(wait, range(6)) == [0, 10, 20, 30, 40, 50]


def test_an_error_of_a_part_is_raised(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    with pytest.raises(ZeroDivisionError):
        workers.in_threads(lambda part: 1 / part, [1, 0, 2])


def test_linear_algebra_has_one_thread_inside_and_what_it_had_after(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")

    def blas_threads(_=None):
        return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

    with threadpool_limits(limits=2, user_api="blas"):
        assert workers.in_threads(blas_threads, range(2)) == [{1}, {1}]
        assert blas_threads() == {2}


def test_one_thread_for_all_libraries_inside_and_what_they_had_after():
    torch = pytest.importorskip("torch")
    kept = torch.get_num_threads()
    with threadpool_limits(limits=2):
        torch.set_num_threads(2)
        try:
            with workers.one_thread():
                assert {one["num_threads"] for one in threadpool_info()} == {1}
                assert torch.get_num_threads() == 1
                torch.set_num_threads(1)
            assert torch.get_num_threads() == 2
            assert 2 in {one["num_threads"] for one in threadpool_info()}
        finally:
            torch.set_num_threads(kept)


def test_one_thread_imports_no_torch(monkeypatch):
    monkeypatch.delitem(workers.sys.modules, "torch", raising=False)
    with workers.one_thread():
        assert "torch" not in workers.sys.modules
