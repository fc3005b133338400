"""What every checkpoint store must do, as tests to run on one's own."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ddbstream.exceptions import CheckpointError, FencedError
from ddbstream.poller import (
    After,
    AtStart,
    AtTime,
    CheckpointStore,
    End,
    Lease,
    Position,
    Start,
)

__all__ = ["CheckpointStoreConformance"]


class CheckpointStoreConformance:
    """Tests for a `ddbstream.poller.CheckpointStore`; subclass it and say how to open the store.

    ```python
    class TestMyStore(CheckpointStoreConformance):
        def open(self):
            return MyStore(URL)
    ```

    Each test uses a stream of its own, so all may share one storage. pytest and unittest (with
    `TestCase` as a second base) both find the tests.
    """

    def open(self) -> CheckpointStore:
        """A store.

        Another call gives another handle on the same storage, as another process has.
        """
        raise NotImplementedError

    def _arn(self) -> str:
        name = secrets.token_hex(8)
        return f"arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/{name}"

    def _acquired(self) -> tuple[CheckpointStore, Lease]:
        store = self.open()
        return store, store.acquire(self._arn(), "one", ttl=60)

    def test_a_new_stream_has_nothing(self) -> None:
        """No start, no positions, no sign of life."""
        store, lease = self._acquired()
        state = store.load(lease)
        assert state.start is None
        assert dict(state.positions) == {}
        assert state.last_alive is None

    def test_every_position_comes_back_equal(self) -> None:
        """Among them a number of 40 digits, the longest that the service documents."""
        store, lease = self._acquired()
        positions: dict[str, Position] = {
            "shard-start": AtStart(),
            "shard-time": AtTime(1_700_000_000.25),
            "shard-after": After("9" * 40, 1_700_000_000.0),
            "shard-bare": After("100000000000000000001"),
            "shard-end": End(),
        }
        for shard_id, position in positions.items():
            store.save(lease, shard_id, position)
        assert dict(store.load(lease).positions) == positions

    def test_another_handle_sees_what_was_saved(self) -> None:
        """What a method did is durable when it returns."""
        store, lease = self._acquired()
        store.save(lease, "shard", After("7"))
        other = self.open()
        taken = other.acquire(lease.stream_arn, "two", ttl=60)
        assert dict(other.load(taken).positions) == {"shard": After("7")}

    def test_a_position_moves_only_forward(self) -> None:
        """By number and not by text, and never out of the end."""
        store, lease = self._acquired()
        steps: list[Position] = [AtStart(), AtTime(5.0), After("9" * 21), After("1" + "0" * 21)]
        for position in [*steps, End()]:
            store.save(lease, "shard", position)
        for position in steps:
            with _raises(CheckpointError):
                store.save(lease, "shard", position)
        assert dict(store.load(lease).positions) == {"shard": End()}

    def test_saving_the_same_again_is_no_error(self) -> None:
        """A caller that lost the answer has to try again."""
        store, lease = self._acquired()
        for position in (AtTime(5.0), After("12"), End()):
            store.save(lease, "shard", position)
            store.save(lease, "shard", position)
        assert dict(store.load(lease).positions) == {"shard": End()}

    def test_the_start_is_fixed_once(self) -> None:
        """A second one changes nothing."""
        store, lease = self._acquired()
        first = Start(AtTime(1_700_000_000.5), 1_700_000_001.0)
        store.fix_start(lease, first)
        store.fix_start(lease, Start(AtStart(), 1_800_000_000.0))
        assert store.load(lease).start == first

    def test_the_last_sign_of_life_is_kept(self) -> None:
        """It tells how long nothing was read."""
        store, lease = self._acquired()
        store.renew(lease, 1_700_000_000.5)
        assert store.load(lease).last_alive == 1_700_000_000.5

    def test_acquiring_does_not_count_as_a_sign_of_life(self) -> None:
        """Nothing has been read yet."""
        store, lease = self._acquired()
        store.renew(lease, 1_700_000_000.0)
        again = store.acquire(lease.stream_arn, "two", ttl=60)
        assert store.load(again).last_alive == 1_700_000_000.0

    def test_each_lease_has_a_higher_epoch(self) -> None:
        """Also for the same owner, and after a release."""
        store, first = self._acquired()
        second = store.acquire(first.stream_arn, "one", ttl=60)
        store.release(second)
        third = store.acquire(first.stream_arn, "two", ttl=60)
        assert first.epoch < second.epoch < third.epoch

    def test_a_lease_that_was_taken_over_can_do_nothing(self) -> None:
        """Every call raises, and changes nothing."""
        store, old = self._acquired()
        store.save(old, "shard", After("5"))
        other = self.open()
        new = other.acquire(old.stream_arn, "two", ttl=60)
        with _raises(FencedError):
            store.save(old, "shard", After("6"))
        with _raises(FencedError):
            store.save(old, "another", After("6"))
        with _raises(FencedError):
            store.renew(old, 1.0)
        with _raises(FencedError):
            store.fix_start(old, Start(AtStart(), 1.0))
        with _raises(FencedError):
            store.forget(old, ["shard"])
        with _raises(FencedError):
            store.load(old)
        store.release(old)
        state = other.load(new)
        assert dict(state.positions) == {"shard": After("5")}
        assert state.start is None
        assert state.last_alive is None
        other.save(new, "shard", After("6"))

    def test_a_lease_is_waited_for_if_its_owner_is_alive(self) -> None:
        """Without ``takeover`` the living owner keeps it."""
        store, lease = self._acquired()
        other = self.open()
        with _raises(FencedError):
            other.acquire(lease.stream_arn, "two", ttl=60, takeover=False)
        store.save(lease, "shard", After("1"))
        store.release(lease)
        other.acquire(lease.stream_arn, "two", ttl=60, takeover=False)

    def test_an_abandoned_lease_is_free(self) -> None:
        """Its owner has not renewed it in time."""
        store = self.open()
        lease = store.acquire(self._arn(), "one", ttl=0.05)
        time.sleep(0.1)
        store.acquire(lease.stream_arn, "two", ttl=60, takeover=False)

    def test_renewing_keeps_a_lease(self) -> None:
        """It lasts its time from the renewal."""
        store = self.open()
        arn = self._arn()
        store.acquire(arn, "one", ttl=0.05)
        lease = store.acquire(arn, "one", ttl=60)
        store.renew(lease, 1.0)
        with _raises(FencedError):
            self.open().acquire(arn, "two", ttl=60, takeover=False)

    def test_forgotten_positions_are_gone(self) -> None:
        """The others stay; one that is not there is no error."""
        store, lease = self._acquired()
        ids = [f"shard-{index:03d}" for index in range(120)]
        for shard_id in ids:
            store.save(lease, shard_id, End())
        store.forget(lease, [*ids[1:], "never-seen"])
        assert dict(store.load(lease).positions) == {ids[0]: End()}

    def test_streams_do_not_see_each_other(self) -> None:
        """Shard ids are not unique: moto gives every table the same one."""
        store, one = self._acquired()
        two = store.acquire(self._arn(), "one", ttl=60)
        store.save(one, "shard", After("1"))
        store.save(two, "shard", After("2"))
        store.fix_start(two, Start(AtStart(), 1.0))
        assert dict(store.load(one).positions) == {"shard": After("1")}
        assert store.load(one).start is None
        assert dict(store.load(two).positions) == {"shard": After("2")}

    def test_consumers_of_a_stream_do_not_see_each_other(self) -> None:
        """Each has its start, its positions, its last sign of life and its lease."""
        store, one = self._acquired()
        arn = one.stream_arn
        two = store.acquire(arn, "two", ttl=60, takeover=False, consumer="billing")
        store.save(one, "shard", After("1"))
        store.save(two, "shard", After("2"))
        store.fix_start(two, Start(AtStart(), 1.0))
        store.renew(two, 1_700_000_000.5)
        assert dict(store.load(one).positions) == {"shard": After("1")}
        assert store.load(one).start is None
        assert store.load(one).last_alive is None
        store.forget(two, ["shard"])
        store.release(two)
        other = self.open()
        again = other.acquire(arn, "one", ttl=60, consumer="billing")
        assert again.epoch > two.epoch
        assert again.consumer == "billing"
        assert dict(other.load(again).positions) == {}
        store.save(one, "shard", After("3"))

    def test_the_streams_of_a_table_are_told_by_consumer(self) -> None:
        """Of a store that has the optional `streams_of`."""
        store, lease = self._acquired()
        streams_of = getattr(store, "streams_of", None)
        if streams_of is None:
            return
        table = f"{lease.stream_arn.partition('/stream/')[0]}{secrets.token_hex(4)}"
        arns = [f"{table}/stream/{moment}" for moment in (1, 2, 3)]
        for arn in arns[:2]:
            store.acquire(arn, "one", ttl=60)
        store.acquire(arns[2], "one", ttl=60, consumer="billing")
        store.acquire(f"{table}2/stream/1", "one", ttl=60)
        assert streams_of(table) == arns[:2]
        assert streams_of(table, consumer="billing") == arns[2:]

    def test_who_names_no_consumer_is_the_default_one(self) -> None:
        """It is one consumer like any other, under the name ``default``."""
        store, one = self._acquired()
        store.save(one, "shard", After("1"))
        same = store.acquire(one.stream_arn, "two", ttl=60, consumer="default")
        assert dict(store.load(same).positions) == {"shard": After("1")}
        with _raises(FencedError):
            store.save(one, "shard", After("2"))

    def test_a_consumer_without_a_name_is_refused(self) -> None:
        """An empty text is a mistake, such as a variable that is not set."""
        with _raises(CheckpointError):
            self.open().acquire(self._arn(), "one", ttl=60, consumer="")


@contextmanager
def _raises(expected: type[Exception]) -> Iterator[None]:
    try:
        yield
    except expected:
        return
    raise AssertionError(f"{expected.__name__} was not raised")
