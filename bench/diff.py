"""What a diff costs beside dictdiffer, jsondiff and deepdiff: ``python bench/diff.py``.

Times are CPU seconds of this thread, the candidates run in random order within each round, and what
is printed is the median of each round's ratio to the first candidate: on a busy machine only ratios
hold. The peers get items that boto3's deserializer has already read; ddbstream reads the wire items
itself, and every one of its changes with its values is asked for.

Goals: at least 6 times as fast as dictdiffer, 5 as jsondiff, 80 as deepdiff on M; and a route's
``changed="price"`` in at most 0.08 of the time of the diff.
"""

from __future__ import annotations

import argparse
import copy
import gc
import random
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import deepdiff
import dictdiffer
import jsondiff
from boto3.dynamodb.types import TypeDeserializer
from rows import Row, shown

from ddbstream import diff
from ddbstream._diff import diff_images
from ddbstream.changed import change_filter

Item = dict[str, Any]
Candidates = Mapping[str, Callable[[], object]]

GOALS = {
    "dictdiffer": ">= 6",
    "jsondiff": ">= 5",
    "deepdiff": ">= 80",
    "changed='price'": "<= 0.08",
}


def small() -> Item:
    """S: the Product item of the README."""
    return {
        "PK": {"S": "Product#8f14e45f-ceea-467f-9d2c-1f2e3d4c5b6a"},
        "SK": {"S": "User#Product"},
        "name": {"S": "Walnut desk"},
        "price": {"N": "349.99"},
        "category": {"S": "furniture"},
    }


def medium() -> Item:
    """M: 20 attributes of mixed types with nesting, 3 KB a record with both images."""
    return {
        **small(),
        "stock": {"N": "12"},
        "active": {"BOOL": True},
        "discontinued": {"NULL": True},
        "created": {"S": "2026-01-02T03:04:05+00:00"},
        "updated": {"N": "1790000000"},
        "weight": {"N": "31.5"},
        "thumbnail": {"B": b"\x89PNG" * 8},
        "tags": {"SS": ["wood", "office", "desk"]},
        "ratings": {"NS": ["1", "4", "5"]},
        "dims": {"M": {"w": {"N": "140"}, "h": {"N": "72.5"}, "d": {"N": "70"}}},
        "variants": {
            "L": [
                {"M": {"sku": {"S": f"SKU-{i}"}, "price": {"N": f"{300 + i}"}, "stock": {"N": "9"}}}
                for i in range(3)
            ]
        },
        "images": {"L": [{"S": f"https://cdn.example.com/{i}.jpg"} for i in range(4)]},
        "supplier": {
            "M": {
                "name": {"S": "Oak & Co"},
                "address": {"M": {"city": {"S": "Lund"}, "zip": {"S": "22100"}}},
            }
        },
        "version": {"N": "7"},
        "notes": {"S": "Solid walnut, oiled. " * 8},
    }


def large() -> Item:
    """L: M with 300 lines in a list, some 60 KB an image."""
    line = {"M": {"sku": {"S": "SKU-1"}, "text": {"S": "x" * 100}, "count": {"N": "3"}}}
    return {**medium(), "lines": {"L": [copy.deepcopy(line) for _ in range(300)]}}


def changed(item: Item, places: int) -> Item:
    """The item as a typical update leaves it: ``places`` of six changes, the likely ones first."""
    new = copy.deepcopy(item)
    updates: list[Callable[[], object]] = [
        lambda: new.update(price={"N": "299.99"}),
        lambda: new.update(updated={"N": "1790000999"}),
        lambda: new["dims"]["M"].update(h={"N": "73"}),
        lambda: new.update(tags={"SS": ["wood", "office", "sale"]}),
        lambda: new["variants"]["L"][1]["M"].update(stock={"N": "8"}),
        lambda: new["images"]["L"].append({"S": "https://cdn.example.com/9.jpg"}),
    ]
    for update in updates[:places]:
        update()
    return new


def read(item: Item) -> Item:
    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def candidates(old: Item, new: Item) -> Candidates:
    price = change_filter("price")
    plain_old, plain_new = read(old), read(new)
    return {
        "record.diff": lambda: list(diff_images(old, new)),
        "diff(old, new)": lambda: list(diff(old, new)),
        "diff(python items)": lambda: list(diff(plain_old, plain_new)),
        "record.diff, unread": lambda: diff_images(old, new),
        "changed='price'": lambda: price.matches(old, new),
        "dictdiffer": lambda: list(dictdiffer.diff(plain_old, plain_new)),
        "jsondiff": lambda: jsondiff.diff(plain_old, plain_new),
        "deepdiff": lambda: deepdiff.DeepDiff(plain_old, plain_new),
    }


def measure(named: Candidates, rounds: int) -> tuple[float, dict[str, float]]:
    """The first candidate's median time in µs, and the median ratio to it of each."""
    first = next(iter(named))
    times: dict[str, list[float]] = {name: [] for name in named}
    loops: dict[str, int] = {}
    for name, run in named.items():
        run()
        start = time.thread_time()
        run()
        # Some 5 ms a turn: long enough for the clock, short enough that all candidates of a round
        # see the same machine.
        loops[name] = max(1, round(0.005 / max(time.thread_time() - start, 1e-6)))
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name in random.sample(list(named), len(named)):
                run, count = named[name], loops[name]
                start = time.thread_time()
                for _ in range(count):
                    run()
                times[name].append((time.thread_time() - start) / count)
    finally:
        gc.enable()
    ratios = {
        name: statistics.median(a / b for a, b in zip(found, times[first], strict=True))
        for name, found in times.items()
    }
    return statistics.median(times[first]) * 1e6, ratios


def rows(rounds: int) -> Iterator[Row]:
    """What has a goal: the peers and ``changed=`` on M with three changes."""
    old, new = medium(), changed(medium(), 3)
    _, ratios = measure(candidates(old, new), rounds)
    for name, goal in GOALS.items():
        what = name if name.startswith("changed") else f"{name}, its decode not counted"
        yield Row(f"M: {what} / record.diff", ratios[name], goal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--check", action="store_true", help="fail if a goal is missed on M")
    options = parser.parse_args()
    print("the garbage collector is off here; bench/end_to_end.py measures with it on")
    for label, item, places in (
        ("S, 1 change", small(), 1),
        ("M, 1 change", medium(), 1),
        ("M, 6 changes", medium(), 6),
        ("L, 3 changes", large(), 3),
    ):
        old, new = item, changed(item, places)
        assert len(diff(old, new)) == places
        took, ratios = measure(candidates(old, new), options.rounds)
        print(f"\n{label}: record.diff takes {took:.1f} µs")
        for name, ratio in ratios.items():
            what = "of the diff's time" if ratio < 1 else "times the diff's time"
            print(f"  {name:20} {ratio:8.3f} {what}")
    print("\nM, 3 changes")
    found = shown(rows(options.rounds))
    if options.check and not all(row.met for row in found):
        raise SystemExit("a goal is missed")


if __name__ == "__main__":
    main()
