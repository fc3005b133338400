"""What a record costs that nobody reads, by every road: ``python bench/records.py``.

CPU microseconds a record, the best of many rounds with the collector off, and each as a part of
what decoding the record's two images costs. The goal is at most 2 % for the everyday forms, and 100
bytes. A Kinesis record has to be taken out of its JSON first: beside it stands ``json.loads`` of
the same.
"""

from __future__ import annotations

import argparse
import base64
import gc
import json
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from ddbstream import parse, testing

COUNT = 1_000


def item(number: int) -> dict[str, Any]:
    """The Product of the README: five attributes."""
    return {
        "PK": f"Product#{number:032x}",
        "SK": "User#Product",
        "name": "Mechanical keyboard",
        "price": number,
        "category": "computers",
    }


RECORDS: list[Any] = [testing.modify(item(n), item(n + 1)) for n in range(COUNT)]


def best(work: Callable[[], object], rounds: int) -> float:
    """CPU microseconds a record."""
    found = float("inf")
    for _ in range(rounds):
        start = time.thread_time()
        work()
        found = min(found, time.thread_time() - start)
    return found / COUNT * 1e6


def drain(records: Iterable[Any]) -> None:
    for _ in records:
        pass


def decode(payload: object) -> None:
    for record in parse(payload):
        record.old, record.new  # noqa: B018


def main(arguments: argparse.Namespace) -> None:
    event = testing.lambda_event(RECORDS)
    page = testing.get_records_page(RECORDS)
    kinesis = testing.kinesis_event(RECORDS)
    queue = testing.sqs_event(event)
    gc.disable()
    whole = best(lambda: decode(event), arguments.rounds)
    print(f"{'decode both images, untyped':38} {whole:8.3f} us")
    for name, payload in (
        ("Lambda event", event),
        ("GetRecords page", page),
        ("Pipes batch", event["Records"]),
        ("Kinesis event", kinesis),
        ("SQS around a Lambda event", queue),
    ):
        cost = best(lambda payload=payload: drain(parse(payload)), arguments.rounds)
        print(f"{name:38} {cost:8.3f} us {cost / whole:8.1%}")
    data = [entry["kinesis"]["data"] for entry in kinesis["Records"]]
    plain = best(
        lambda: drain(json.loads(base64.b64decode(text)) for text in data), arguments.rounds
    )
    print(f"{'  json.loads of the Kinesis data alone':38} {plain:8.3f} us")
    records = list(parse(event))
    for name in (
        "approximate_creation_datetime",
        "order_key",
        "is_ttl_removal",
        "is_replica",
        "is_unchanged",
        "table_name",
        "keys",
    ):
        cost = best(lambda name=name: drain(getattr(r, name) for r in records), arguments.rounds)
        print(f"  .{name:36} {cost:8.3f} us")
    print(f"{'size':38} {sys.getsizeof(records[0]):8} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    main(parser.parse_args())
