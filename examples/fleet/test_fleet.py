"""The fleet's router, and the processor made of it, without a fleet."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fleet import processor

from ddbstream.testing import insert, kinesis_data


class Checkpointer:
    def __init__(self) -> None:
        self.stored: list[str | None] = []

    def checkpoint(
        self, sequence_number: str | None = None, sub_sequence_number: int | None = None
    ) -> None:
        self.stored.append(sequence_number)


def test_a_shard_is_handled_once_to_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    record = SimpleNamespace(
        binary_data=kinesis_data(insert({"PK": "Product#7", "SK": "-"})),
        partition_key="p",
        sequence_number="1",
        sub_sequence_number=0,
        timestamp_millis=None,
    )
    checkpointer = Checkpointer()
    shard: Any = SimpleNamespace(shard_id="shardId-000000000000")
    delivery: Any = SimpleNamespace(
        records=[record], checkpointer=checkpointer, millis_behind_latest=0
    )
    processor.initialize(shard)
    processor.process_records(delivery)
    processor.process_records(delivery)  # Kinesis delivers at least once
    processor.shard_ended(delivery)
    assert capsys.readouterr().out.count("INSERT") == 1
    assert checkpointer.stored == [None]
