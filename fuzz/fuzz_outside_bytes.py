"""Fuzz each reader of outside bytes: nothing but ``DDBStreamError`` ever comes out of them.

    python fuzz/fuzz_outside_bytes.py                          every target, 10 seconds each
    python fuzz/fuzz_outside_bytes.py --seconds 3600 ion       one target, for an hour
    python fuzz/fuzz_outside_bytes.py --count 1000000 --seed 7

An input is a good one with some bytes flipped, cut out, doubled, or put in from another. The
targets are in `_outside_targets.py`. A finding ends its target, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import traceback
from pathlib import Path

from _outside_targets import STORED, TARGETS, Findings, Target

TOKENS = [
    *(b"null", b"[]", b"{}", b"-1", b"1e999", b'"', b"\\ud800", b"true", b"0x_", b"\0", b"\xff"),
    *(b"9" * 5000, b"[" * 5000, b'{"S":' * 2000, b'{"S":', b"'''", b"\n", b"NaN"),
    *(b"\x1b]0;x\x07", b"\xe2\x80\xae", b"\xc2\x9b", b"\x1f\x8b\x08", b"\xef\xbb\xbf", b"\\u202e"),
    *(b"Infinity", b"-0", b"0.", b"1" * 400 + b"e-400", b"\\", b"$", b"__import__", b"{{", b"}}"),
    STORED.encode(),
]


def altered(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        at, length = draw.randrange(len(made) + 1), draw.choice([1, 1, 2, 8, 64])
        kind = draw.randrange(7)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            del made[at : at + length]
        elif kind == 2:
            made[at:at] = made[at : at + length] * draw.choice([1, 2, 50])
        elif kind == 3:
            other = draw.choice(others)
            start = draw.randrange(len(other) + 1)
            made[at:at] = other[start : start + length]
        elif kind == 4:
            made[at : at + length] = draw.choice(TOKENS)
        elif kind == 5:
            made[at : at + length] = draw.randbytes(length)
        else:
            _put_for_a_value(made, draw)
    return bytes(made)


def _put_for_a_value(made: bytearray, draw: random.Random) -> None:
    """A token in the place of what stands between two quotes, or between a colon and a comma."""
    opening, closing = draw.choice([(b'"', b'"'), (b": ", b","), (b": ", b"}")])
    at = made.find(opening, draw.randrange(len(made) + 1))
    end = made.find(closing, at + len(opening)) if at >= 0 else -1
    if end >= 0:
        made[at + len(opening) : end] = draw.choice(TOKENS)


def run(name: str, target: Target, folder: Path, options: argparse.Namespace) -> bool:
    """Fuzz one target; whether there was no finding."""
    draw = random.Random(options.seed)
    good = target.good(folder)
    for data in good:  # what is right passes, or this shows nothing
        target.read(data, folder, Findings())
    start = time.monotonic()
    findings, count = Findings(), 0
    while count != options.count if options.count else time.monotonic() < start + options.seconds:
        findings.data = altered(draw.choice(good), draw, good)
        try:
            target.read(findings.data, folder, findings)
        except KeyboardInterrupt:
            break
        except BaseException:  # noqa: BLE001 - each is a finding
            traceback.print_exc()
            kept = Path(f"finding-{name}-{options.seed}-{count}")
            kept.write_bytes(findings.data)
            print(f"{name}: FINDING in input {count} of seed {options.seed}, kept in {kept}")
            return False
        count += 1
    took = time.monotonic() - start
    said = f"{findings.refused:,} errors, {took:.0f} s, no finding"
    print(f"{name}: {count:,} inputs, {said}", flush=True)
    return True


def main() -> int:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    arguments.add_argument("--seconds", type=float, default=10.0)
    arguments.add_argument("--count", type=int)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    chosen = options.targets or list(TARGETS)
    clean = True
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            clean = run(name, TARGETS[name], Path(folder), options) and clean
    return 0 if clean else 1


if __name__ == "__main__":
    sys.exit(main())
