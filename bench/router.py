"""What routing costs beside Powertools: ``python bench/router.py``.

* per record, with a handler that does nothing, against ``process_partial_response``, which routes
  nothing: goal at most 1.1 times its time, the same from 3 to 100 routes;
* a handler that reads the new image, as a dataclass here and as Powertools' dict there: goal at
  least 4 times as fast. A small item is mostly routing, so there is one of 20 attributes as well;
* what narrowing a route costs.

Times are CPU seconds of this thread, the candidates run in random order within each round, and
what is printed is the median of each round's ratio to the first candidate: on a busy machine only
ratios hold.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from rows import Row

from ddbstream import LambdaHandler, StreamRouter, by_key_prefix, keys
from ddbstream.testing import lambda_event, modify

RECORDS = 1000
Candidates = Mapping[str, Callable[[], object]]


@keys(PK="Product#{id}", SK="User#Product")
@dataclass(slots=True)
class Product:
    id: str
    name: str
    price: Decimal
    category: str


@dataclass(slots=True)
class Dimensions:
    width: float
    height: float


@keys(PK="Product#{id}", SK="User#Product")
@dataclass(slots=True)
class Wide:
    """20 attributes, with nesting."""

    id: str
    name: str
    price: Decimal
    category: str
    stock: int
    active: bool
    weight: float
    thumbnail: bytes
    tags: set[str]
    ratings: set[int]
    dimensions: Dimensions
    boxes: list[Dimensions]
    images: list[str]
    maker: str
    country: str
    notes: str
    version: int
    score: Decimal


def wide(price: str) -> Wide:
    size = Dimensions(1.5, 0.75)
    return Wide(
        id="8f14e45f",
        name="Walnut desk",
        price=Decimal(price),
        category="furniture",
        stock=12,
        active=True,
        weight=31.5,
        thumbnail=bytes(64),
        tags={"wood", "office", "new"},
        ratings={3, 4, 5},
        dimensions=size,
        boxes=[size, size],
        images=["a.jpg", "b.jpg", "c.jpg"],
        maker="Nordholz",
        country="DK",
        notes="Oiled, not lacquered",
        version=7,
        score=Decimal("4.5"),
    )


def nothing(record: Any) -> None: ...


def read_new(record: Any) -> None:
    record.new  # noqa: B018


def powertools(body: Callable[[Any], None], event: Any) -> Callable[[], object]:
    processor = BatchProcessor(event_type=EventType.DynamoDBStreams)
    return lambda: process_partial_response(
        event=event, record_handler=body, processor=processor, context=None
    )


def routed(
    event: Any, routes: int, *, prefix: bool = False, model: Any = None, **options: Any
) -> Callable[[], object]:
    """A handler over a router of so many routes, of which the last one wants every record."""
    router = StreamRouter(classify=by_key_prefix("PK") if prefix else None)
    body = options.pop("body", nothing)
    for number in range(routes - 1):
        router.on_modify(f"Entity{number}")(nothing)
    router.on_modify(model or "Product", **options)(body)
    handler = LambdaHandler(router, report_batch_item_failures=True)
    return lambda: handler(event, None)


def measure(candidates: Candidates, rounds: int) -> dict[str, tuple[float, float]]:
    """Microseconds a record, and the ratio to the first candidate."""
    times: dict[str, list[int]] = {name: [] for name in candidates}
    for run in candidates.values():
        run()
    gc.disable()
    for _ in range(rounds):
        for name in random.sample(list(candidates), len(candidates)):
            started = time.thread_time_ns()
            candidates[name]()
            times[name].append(time.thread_time_ns() - started)
        gc.collect()
    gc.enable()
    first = next(iter(times.values()))
    return {
        name: (
            statistics.median(found) / RECORDS / 1000,
            statistics.median(a / b for a, b in zip(found, first, strict=True)),
        )
        for name, found in times.items()
    }


def show(title: str, found: Mapping[str, tuple[float, float]]) -> None:
    print(f"\n{title}")
    for name, (microseconds, ratio) in found.items():
        print(f"  {name:45} {microseconds:7.2f} us/record {ratio:7.2f}")


def noop(event: Any) -> Candidates:
    """Handlers that do nothing."""
    return {
        "Powertools process_partial_response": powertools(nothing, event),
        "ddbstream, by table, 3 routes": routed(event, 3),
        "ddbstream, by table, 100 routes": routed(event, 100),
        "ddbstream, by key prefix, 3 routes": routed(event, 3, prefix=True),
        "ddbstream, by key prefix, 100 routes": routed(event, 100, prefix=True),
        "ddbstream, by class, 3 routes": routed(event, 3, model=Product),
    }


def reading(event: Any, model: type) -> Candidates:
    """Handlers that read one image."""
    return {
        "Powertools record.dynamodb.new_image": powertools(
            lambda record: record.dynamodb.new_image, event
        ),
        "ddbstream, dict": routed(event, 3, model=model.__name__, body=read_new),
        "ddbstream, dataclass": routed(event, 3, model=model, body=read_new),
    }


def events() -> tuple[Any, Any]:
    """Batches of small items, and of items with 20 attributes."""
    old, new = (
        Product("8f14e45f", "Walnut desk", Decimal(p), "furniture") for p in ("349.99", "399")
    )
    return (
        lambda_event([modify(old, new) for _ in range(RECORDS)]),
        lambda_event([modify(wide("349.99"), wide("399")) for _ in range(RECORDS)]),
    )


def rows(rounds: int) -> Iterator[Row]:
    """What has a goal."""
    event, wide_event = events()
    found = measure(noop(event), rounds)
    for name in ("by table", "by key prefix"):
        what = f"a record routed {name} / Powertools, which routes nothing"
        yield Row(what, found[f"ddbstream, {name}, 3 routes"][1], "<= 1.1")
        few, many = (found[f"ddbstream, {name}, {count} routes"][1] for count in (3, 100))
        yield Row(f"the same, 100 routes / 3 routes, {name}", many / few, "<= 1.1")
    for size, payload, model in (("5", event, Product), ("20", wide_event, Wide)):
        found = measure(reading(payload, model), rounds)
        for kind in ("dict", "dataclass"):
            what = f"Powertools / a handler that reads one image of {size} attributes, {kind}"
            yield Row(what, 1 / found[f"ddbstream, {kind}"][1], ">= 4")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=60)
    rounds = parser.parse_args().rounds
    print("the garbage collector is off here; bench/end_to_end.py measures with it on")
    event, wide_event = events()
    show("A handler that does nothing", measure(noop(event), rounds))
    for size, payload, model in (("5", event, Product), ("20", wide_event, Wide)):
        found = measure(reading(payload, model), rounds)
        show(f"A handler that reads the new image of {size} attributes", found)
    pattern = {"dynamodb": {"NewImage": {"category": {"S": ["furniture"]}}}}
    show(
        "A narrowed route",
        measure(
            {
                "not narrowed": routed(event, 3),
                "ttl=False": routed(event, 3, ttl=False),
                "where=": routed(event, 3, where=bool),
                "changed='price'": routed(event, 3, changed="price"),
                "pattern=": routed(event, 3, pattern=pattern),
            },
            rounds,
        ),
    )


if __name__ == "__main__":
    main()
