"""The same random batches through ddbstream and through Powertools' BatchProcessor, side by side.

Each round draws a stream and the handlers' failures, and lets the simulated event source mapping
run the same function body behind each library, until the mapping is done. Counted over all rounds:

* handler calls, and how many of them repeat a call that had succeeded;
* order violations: an item's record handled for the first time after a later one of that item was;
* records lost: neither handled nor given up by the mapping to its on-failure destination.

Once with ReportBatchItemFailures, and once without, where every response counts as success.

    python bench/router_powertools.py [BATCHES] [SEED]
"""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    AsyncBatchProcessor,
    BatchProcessor,
    EventType,
    async_process_partial_response,
    process_partial_response,
)

from ddbstream import LambdaHandler, StreamRouter
from ddbstream.testing import EventSourceMapping, insert

Handler = Callable[[Any, Any], Any]
Body = Callable[[str], None]


class Round:
    """One stream with its faults, and what a function did with it."""

    def __init__(self, rng: random.Random) -> None:
        self.items = [rng.randrange(4) for _ in range(rng.randint(1, 20))]
        self.faults = {
            n: rng.choice([1, 1, 2, 10_000]) for n in range(len(self.items)) if rng.random() < 0.12
        }
        self.batch_size = rng.choice([1, 3, 10])
        self.retries = rng.choice([1, 3])
        self.bisect = rng.random() < 0.3
        self.records = [
            insert({"PK": f"P#{item}", "n": n}, keys=["PK"], sequence_number=f"{n:021d}")
            for n, item in enumerate(self.items)
        ]

    def run(self, make: Callable[[Body], Handler], *, reports: bool) -> dict[str, int]:
        faults, calls, done = dict(self.faults), [], []

        def body(sequence_number: str) -> None:
            number = int(sequence_number)
            calls.append(number)
            if faults.get(number, 0) > 0:
                faults[number] -= 1
                raise ValueError(number)
            done.append(number)

        mapping = EventSourceMapping(
            make(body),
            self.records,
            batch_size=self.batch_size,
            maximum_retry_attempts=self.retries,
            bisect_batch_on_function_error=self.bisect,
            function_response_types=["ReportBatchItemFailures"] if reports else [],
        )
        mapping.run()
        latest: dict[int, int] = {}
        violations = 0
        for number in dict.fromkeys(done):  # what is only repeated is counted as that
            item = self.items[number]
            violations += number < latest.get(item, -1)
            latest[item] = max(number, latest.get(item, -1))
        dead = {int(record["dynamodb"]["SequenceNumber"]) for record in mapping.given_up}
        return {
            "invocations": len(mapping.invocations),
            "handler calls": len(calls),
            "repeated after success": len(done) - len(set(done)),
            "order violations": violations,
            "given up by the mapping": len(dead),
            "lost": len(set(range(len(self.items))) - set(done) - dead),
        }


def ddbstream(body: Body, **options: Any) -> Handler:
    router = StreamRouter()
    router.on_insert()(lambda record: body(record.sequence_number))
    return LambdaHandler(router, **options)


def ddbstream_reporting(body: Body) -> Handler:
    return ddbstream(body, report_batch_item_failures=True)


def powertools(body: Body) -> Handler:
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams)

    def handle(record: Any) -> None:
        body(record.dynamodb.sequence_number)

    return lambda event, context: process_partial_response(
        event=event, record_handler=handle, processor=processor, context=context
    )


def powertools_async(body: Body) -> Handler:
    processor = AsyncBatchProcessor(event_type=EventType.DynamoDBStreams)

    async def handle(record: Any) -> None:
        import asyncio

        number = record.dynamodb.sequence_number
        await asyncio.sleep(0 if int(number) % 2 else 0.0005)  # as I/O would
        body(number)

    return lambda event, context: async_process_partial_response(
        event=event, record_handler=handle, processor=processor, context=context
    )


def ddbstream_async(body: Body) -> Handler:
    router = StreamRouter()

    @router.on_insert()
    async def handle(record: Any) -> None:
        import asyncio

        number = record.sequence_number
        await asyncio.sleep(0 if int(number) % 2 else 0.0005)
        body(number)

    return LambdaHandler(router, report_batch_item_failures=True, concurrency=20)


REPORTING: dict[str, Callable[[Body], Handler]] = {
    "ddbstream": ddbstream_reporting,
    "Powertools BatchProcessor": powertools,
    "ddbstream, async, concurrency 20": ddbstream_async,
    "Powertools AsyncBatchProcessor": powertools_async,
}
NOT_REPORTING: dict[str, Callable[[Body], Handler]] = {
    "ddbstream": ddbstream,
    "Powertools BatchProcessor": powertools,
}


def compare(
    batches: int, seed: int, candidates: dict[str, Callable[[Body], Handler]], *, reports: bool
) -> None:
    """Print a table of what became of as many batches as ddbstream needs."""
    totals: dict[str, dict[str, int]] = {name: {} for name in candidates}
    rng, drawn = random.Random(seed), 0
    while totals["ddbstream"].get("invocations", 0) < batches:
        one = Round(rng)
        drawn += 1
        for name, make in candidates.items():
            for what, count in one.run(make, reports=reports).items():
                totals[name][what] = totals[name].get(what, 0) + count
    setting = "with" if reports else "without"
    print(f"\n{drawn:,} streams (seed {seed}), mapping {setting} ReportBatchItemFailures\n")
    print("| | " + " | ".join(totals) + " |")
    print("| --- |" + " ---: |" * len(totals))
    for what in totals["ddbstream"]:
        print(f"| {what} | " + " | ".join(f"{t[what]:,}" for t in totals.values()) + " |")


def main(batches: int = 2_000, seed: int = 1) -> None:
    logging.disable(logging.CRITICAL)
    compare(batches, seed, REPORTING, reports=True)
    compare(batches, seed, NOT_REPORTING, reports=False)


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:3]))
