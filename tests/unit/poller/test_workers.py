"""The workers' threads: as many as are needed, and none keeps what it has worked on."""

from __future__ import annotations

import queue
import threading
import time
import weakref

import pytest

from ddbstream.poller._workers import ThreadWorkers


class Page:
    """Stands for the records of a page, which are most of a poller's memory."""


@pytest.fixture
def workers():
    found = ThreadWorkers({"read": 8, "handle": 8, "control": 2}, name="test-workers")
    yield found
    found.close()


def alive(name):
    return sum(thread.name.startswith(name) for thread in threading.enumerate())


class SlowQueue(queue.SimpleQueue):
    """Lets whoever takes a result go first, as a busy machine may."""

    def put(self, item):
        super().put(item)
        if item == "result":
            time.sleep(0.005)


def test_a_result_that_is_out_leaves_its_thread_free_for_the_next_piece(monkeypatch):
    monkeypatch.setattr(queue, "SimpleQueue", SlowQueue)
    workers = ThreadWorkers({"read": 8}, name="test-slow-workers")
    for _ in range(50):
        workers.submit("read", lambda: "result")
        assert workers.wait(None) == ["result"]
    assert alive("test-slow-workers-read") == 1
    workers.close()


def test_work_at_the_same_time_has_threads_of_its_own(workers):
    together = threading.Barrier(3, timeout=60)
    for _ in range(3):
        workers.submit("handle", together.wait)
    found = []
    while len(found) < 3:
        found += workers.wait(None)
    assert sorted(found) == [0, 1, 2]
    assert alive("test-workers-handle") == 3


def test_there_are_no_more_threads_than_the_lane_may_have(workers):
    for n in range(50):
        workers.submit("control", lambda n=n: n)
    found = []
    while len(found) < 50:
        found += workers.wait(None)
    assert sorted(found) == list(range(50))
    assert alive("test-workers-control") <= 2


def test_an_idle_thread_keeps_nothing_of_its_last_piece(workers):
    page = Page()
    gone = weakref.ref(page)
    workers.submit("handle", lambda page=page: page)
    del page
    (result,) = workers.wait(None)
    assert result is gone()
    del result
    patience = time.monotonic() + 30
    while gone() is not None and time.monotonic() < patience:
        time.sleep(0.001)
    assert gone() is None
