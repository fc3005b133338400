"""Fuzz ``from_item`` and ``parse``: nothing but ``DDBStreamError`` ever comes out of them.

    python fuzz/fuzz_from_item.py -max_total_time=3600        coverage-guided, where atheris is
    installed python fuzz/fuzz_from_item.py --random 1000000 [seed]     otherwise

What reads well is checked further: the generated decoder and the slow reader agree, what is written
reads back equal, and no error's text, attribute or cause chain holds the marker text of an input.
"""

from __future__ import annotations

import random
import sys
from contextlib import suppress
from typing import Any

try:
    import atheris
except ImportError:
    atheris = None

if atheris is not None and "--random" not in sys.argv:
    with atheris.instrument_imports(include=["ddbstream"]):
        from ddbstream import DDBStreamError, from_item, parse, to_item
        from ddbstream._model import codec_for
else:
    from ddbstream import DDBStreamError, from_item, parse, to_item
    from ddbstream._model import codec_for

from _roads import compare_item
from inputs import Source
from models import MODELS

from ddbstream.exceptions import EncodeError

CODECS = [codec_for(model) for model in MODELS]


def check_item(source: Source) -> None:
    """Read one item into one model, and everything that follows from that."""
    codec = source.pick(CODECS)
    item = source.item()
    compare_item(item, codec.model)
    try:
        made = codec.decode(item)
    except DDBStreamError as error:
        str(error), repr(error), [str(single) for single in error.errors]
        causes = (error.__context__, error.__cause__)
    else:
        causes = None
    if causes is not None:
        assert causes == (None, None), "an error carries what it must not print"
        return
    check_reading(codec, item, made)
    for wire in ("boto3", "json"):
        try:
            written = to_item(made, wire=wire, model=codec.model)
        except EncodeError:
            continue  # read tolerantly, out of DynamoDB's range
        again = codec.decode(written)
        assert again == made, f"written and read again: {made!r}, {again!r}"


def check_reading(codec: Any, item: Any, made: Any) -> None:
    """The slow reader says the same as the generated code."""
    if codec.model is None:
        from_item(item)
        return
    slow = codec.read_slowly(item)
    assert slow == made, f"read slowly and quickly: {slow!r}, {made!r}"


def check_payload(source: Source) -> None:
    """Read one payload, and every property of its records."""
    model = source.pick(MODELS)
    payload = source.payload()
    try:
        records = iter(parse(payload, model))
    except DDBStreamError:
        return
    for _ in range(5):
        try:
            record = next(records)
        except StopIteration:
            return
        except DDBStreamError:
            continue
        for name in dir(record):
            if name.startswith("_"):
                continue
            with suppress(DDBStreamError, AttributeError):
                getattr(record, name)


def one_input(data: bytes) -> None:
    """What the fuzzer calls."""
    source = Source(data)
    if source.byte(4):
        check_item(source)
    else:
        check_payload(source)


def main() -> None:
    if "--random" in sys.argv:
        count = int(sys.argv[2])
        seed = int(sys.argv[3]) if len(sys.argv) > 3 else 0
        draw = random.Random(seed)
        for number in range(count):
            data = draw.randbytes(draw.choice([8, 32, 128]))
            try:
                one_input(data)
            except Exception:
                print(f"input {number} of seed {seed}: {data.hex()}")
                raise
        print(f"{count} inputs, no finding")
        return
    if atheris is None:
        sys.exit("atheris is not installed: use --random COUNT")
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
