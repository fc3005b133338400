"""Two pollers on one store: the later one reads on, the earlier one says so and stops."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import pytest

from ddbstream.exceptions import FencedError
from ddbstream.poller import (
    DynamoDBCheckpoints,
    FileCheckpoints,
    MemoryCheckpoints,
    Settings,
    SQLiteCheckpoints,
    StreamPoller,
)
from ddbstream.testing import FakeClock, FakeStream

QUICK = Settings(idle=0.005, idle_max=0.01, page_limit=5, lease=1.0)


class Audited:
    """A store that notes the epoch of each save that succeeded, in the order they did."""

    def __init__(self, store, log, lock):
        self._store, self._log, self._lock = store, log, lock

    def __getattr__(self, name):
        return getattr(self._store, name)

    def save(self, lease, shard_id, position):
        with self._lock:  # the note and the save are one
            self._store.save(lease, shard_id, position)
            self._log.append(lease.epoch)


@pytest.fixture(
    params=["memory", "file", "sqlite", pytest.param("dynamodb", marks=pytest.mark.dynamodb_local)]
)
def open_store(request, tmp_path):
    if request.param == "memory":
        store = MemoryCheckpoints()
        return lambda: store
    if request.param == "file":
        return lambda: FileCheckpoints(tmp_path / "positions.json")
    if request.param == "dynamodb":
        server = request.getfixturevalue("dynamodb_local")
        client = server.client("dynamodb")
        DynamoDBCheckpoints("two-pollers", client=client).create_table()
        return lambda: DynamoDBCheckpoints("two-pollers", client=client)
    opened = []

    def open_sqlite():
        opened.append(SQLiteCheckpoints(tmp_path / "positions.db"))
        return opened[-1]

    request.addfinalizer(lambda: [store.close() for store in opened])  # noqa: PT021 - of one case
    return open_sqlite


def test_no_two_saves_of_different_epochs_interleave_and_the_loser_stops(open_store):
    stream = FakeStream("T", clock=FakeClock(time.time()))
    written = 0
    handled, epochs, lock = set(), [], threading.Lock()

    class Router:
        def dispatch(self, payload, **kwargs):
            time.sleep(0.002)
            handled.update(int(r["dynamodb"]["NewImage"]["n"]["N"]) for r in payload)
            return SimpleNamespace(processed=len(payload), failures=(), checkpoint=None)

    def poll(poller, errors):
        try:
            poller.run()
        except FencedError as error:
            errors.append(error)

    errors, threads, pollers = [], [], []
    for _ in range(3):
        store = Audited(open_store(), epochs, lock)
        poller = StreamPoller(
            "T",
            Router(),
            client=stream,
            checkpoints=store,
            settings=QUICK,
            max_workers=2,
            takeover=True,
        )
        pollers.append(poller)
        threads.append(threading.Thread(target=poll, args=(poller, errors)))
        threads[-1].start()
        begun, until = written, time.monotonic() + 20
        # until this one has saved, so that it has the lease before the next one takes it
        while written < begun + 40 or len(set(epochs)) < len(threads):
            assert time.monotonic() < until
            stream.put({"PK": {"S": f"{written % 7}"}, "n": {"N": str(written)}})
            written += 1
            time.sleep(0.005)
    for thread in threads[:2]:
        thread.join(20)
        assert not thread.is_alive()
    assert len(errors) == 2
    assert [poller.exit.reason for poller in pollers[:2]] == ["fenced", "fenced"]
    until = time.monotonic() + 20
    while len(handled) < written and time.monotonic() < until:
        time.sleep(0.02)
    pollers[2].stop()
    threads[2].join(20)
    assert handled == set(range(written))
    assert epochs == sorted(epochs)
    assert len(set(epochs)) == 3
    assert pollers[2].exit.reason == "stopped"
