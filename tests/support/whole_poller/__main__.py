"""Run many seeds, and print what they came to: ``python -m tests.support.whole_poller 10000``."""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections import Counter

from tests.support.whole_poller import Violation, run


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("seeds", type=int, nargs="?", default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--every", type=int, default=500, help="Seeds between figures.")
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    totals: Counter[str] = Counter()
    broken: list[str] = []
    began = time.process_time()
    for done, seed in enumerate(range(arguments.first, arguments.first + arguments.seeds), 1):
        try:
            result = run(seed)
        except Violation as violation:
            broken.append(str(violation))
            sys.stdout.write(f"{violation}\n")
        else:
            figures = {k: v for k, v in vars(result).items() if isinstance(v, int | float)}
            totals.update({name: round(v) for name, v in figures.items() if name != "seed"})
        if done % arguments.every == 0 or done == arguments.seeds:
            seconds = round(time.process_time() - began)
            shown = {"seeds": done, "violations": len(broken), "cpu_seconds": seconds, **totals}
            sys.stdout.write(json.dumps(shown) + "\n")
            sys.stdout.flush()
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
