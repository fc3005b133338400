"""A KCL without a daemon: what it delivers, and what it stores."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ddbstream import StreamRouter
from ddbstream.kcl import RecordProcessor
from tests.support.kinesis_local import change


class Refused(Exception):
    """As amazon-kclpy's CheckpointError: it has the name of the KCL's exception."""

    def __init__(self, value):
        super().__init__(value)
        self.value = value


class KCL:
    """Delivers to a processor, stores its checkpoints, and counts what it waits."""

    def __init__(self):
        self.stored = []
        self.answers = []  # names of exceptions to answer with, None for a success
        self.handled = []
        self.waits = []
        self.now = 1_000.0

    # What a checkpointer has

    def checkpoint(self, sequence_number=None, sub_sequence_number=None):
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise Refused(answer)
        self.stored.append("END" if sequence_number is None else int(sequence_number))

    # What a clock has

    def monotonic(self):
        return self.now

    def time(self):
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.waits.append(seconds)
        self.now += seconds

    # What a test does

    def processor(self, handler=None, **options):
        """A processor whose handler notes the number of each record, then does what is given."""
        router = options.pop("router", None) or StreamRouter()

        @router.on_change()
        def handle(record):
            number = int(record.item_identifier)
            if handler is not None:
                handler(number)
            self.handled.append(number)

        processor = RecordProcessor(router, clock=self, **options)
        processor.initialize(SimpleNamespace(shard_id="shardId-000000000000"))
        return processor

    def deliver(self, processor, *numbers):
        self.give(processor, *(self.record(number) for number in numbers))

    def record(self, number, data=None, item=None, created=None, event_id=None):
        keys = {"PK": {"S": item or f"item-{number % 3}"}}
        body = change(
            keys,
            new={**keys, "n": {"N": str(number)}},
            created=created or 1_000_000_000 + number,
            event_id=event_id,
        )
        return SimpleNamespace(
            binary_data=body if data is None else data,
            partition_key="p",
            sequence_number=str(number),
            sub_sequence_number=0,
            timestamp_millis=1_000_000,
        )

    def give(self, processor, *records):
        processor.process_records(
            SimpleNamespace(records=list(records), checkpointer=self, millis_behind_latest=0)
        )

    def end_shard(self, processor):
        processor.shard_ended(SimpleNamespace(checkpointer=self))

    def request_shutdown(self, processor):
        processor.shutdown_requested(SimpleNamespace(checkpointer=self))


@pytest.fixture
def kcl():
    return KCL()
