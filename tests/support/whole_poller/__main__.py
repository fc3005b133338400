"""Run many seeds, and print what they came to: ``python -m tests.support.whole_poller 10000``.

With ``--journal FILE`` what is done is kept there, and a run that is begun again goes on after it:
as long as the library and the simulation are the same. ``--processes 2`` runs them in two.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import ddbstream
from tests.support.whole_poller import Violation, run

CHUNK = 50  # seeds
SOURCES = (Path(ddbstream.__file__).parent, Path(__file__).parent)


def fingerprint() -> str:
    """Of the code that runs: figures of two are not to be added up."""
    digest = hashlib.sha256()
    for folder in SOURCES:
        for path in sorted(folder.rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def run_chunk(first: int, count: int) -> dict[str, Any]:
    """Some seeds, one after another: their figures, and what was broken."""
    logging.disable(logging.CRITICAL)
    figures: Counter[str] = Counter()
    broken: list[str] = []
    hours = 0.0
    began = time.process_time()
    for seed in range(first, first + count):
        figures["seeds"] += 1
        try:
            result = run(seed)
        except Violation as violation:
            broken.append(str(violation))
            continue
        except Exception as error:  # noqa: BLE001 - as bad, and no end of the other seeds
            broken.append(f"seed {seed}: {error!r}")
            continue
        hours += result.hours
        counts = {name: value for name, value in vars(result).items() if isinstance(value, int)}
        figures.update({name: value for name, value in counts.items() if name != "seed"})
        figures.update({f"{mode} lives": count for mode, count in result.modes.items()})
        figures["seeds with a gap"] += result.gaps > 0
    seconds = time.process_time() - began
    return {"first": first, "figures": figures, "hours": hours, "cpu": seconds, "broken": broken}


def journalled(path: Path | None, code: str) -> list[dict[str, Any]]:
    """The chunks that an earlier run of the same code has done."""
    if path is None or not path.exists():
        return []
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [line for line in lines if line["code"] == code]


def chunks(first: int, seeds: int) -> Iterator[tuple[int, int]]:
    """First seed and number of each."""
    for start in range(first, first + seeds, CHUNK):
        yield start, min(CHUNK, first + seeds - start)


def summary(code: str, done: list[dict[str, Any]]) -> str:
    """All figures in a line."""
    figures: Counter[str] = Counter()
    for chunk in done:
        figures.update(chunk["figures"])
    shown = {
        "code": code,
        "seeds": figures.pop("seeds", 0),
        "violations": sum(len(chunk["broken"]) for chunk in done),
        "hours": round(sum(chunk["hours"] for chunk in done)),
        "cpu_seconds": round(sum(chunk["cpu"] for chunk in done)),
        **figures,
    }
    return json.dumps(shown)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("seeds", type=int, nargs="?", default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--every", type=int, default=500, help="Seeds between figures.")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--journal", type=Path, help="What is done is kept here, a line a chunk.")
    arguments = parser.parse_args()
    code = fingerprint()
    wanted = dict(chunks(arguments.first, arguments.seeds))
    kept = journalled(arguments.journal, code)
    done = [one for one in kept if wanted.get(one["first"]) == one["figures"]["seeds"]]
    left = [(f, n) for f, n in wanted.items() if all(f != one["first"] for one in done)]
    sys.stdout.write("".join(f"{text}\n" for one in done for text in one["broken"]))
    with ProcessPoolExecutor(arguments.processes) as pool:
        for one in pool.map(run_chunk, *zip(*left, strict=True)) if left else ():
            done.append(one)
            sys.stdout.write("".join(f"{text}\n" for text in one["broken"]))
            if arguments.journal is not None:
                with arguments.journal.open("a") as file:
                    file.write(json.dumps({"code": code, **one}) + "\n")
            if one["first"] % arguments.every < CHUNK:
                sys.stdout.write(summary(code, done) + "\n")
            sys.stdout.flush()
    sys.stdout.write(summary(code, done) + "\n")
    return 1 if any(one["broken"] for one in done) else 0


if __name__ == "__main__":
    raise SystemExit(main())
