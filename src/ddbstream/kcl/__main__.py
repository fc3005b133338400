"""``python -m ddbstream.kcl app:router``: what ``ddbstream kcl run`` has the daemon start."""

from __future__ import annotations

import argparse
import logging
from functools import reduce
from importlib import import_module

from ddbstream._router.log import PrintableFormatter
from ddbstream._router.router import StreamRouter
from ddbstream.kcl import RecordProcessor
from ddbstream.kcl._run import processor_of, speak, take_standard_streams


def main() -> None:
    """Serve a shard with a router, or with a `RecordProcessor`, that is named as module:name."""
    parser = argparse.ArgumentParser(prog="python -m ddbstream.kcl")
    parser.add_argument("router", help="module:name of a StreamRouter or a RecordProcessor")
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--on-failure", choices=["block", "skip", "stop"])
    parser.add_argument("--checkpoint-records", type=int)
    parser.add_argument("--checkpoint-seconds", type=float)
    parser.add_argument("--stream-arn")
    arguments = vars(parser.parse_args())
    shown = logging.StreamHandler()
    shown.setFormatter(
        PrintableFormatter("%(levelname)s %(name)s %(message)s")
    )  # the daemon has the time
    logging.basicConfig(level=logging.INFO, handlers=[shown])
    name = arguments.pop("router")
    options = {key: value for key, value in arguments.items() if value is not None}
    # Before the user's module: it may print while it is imported.
    streams = take_standard_streams()
    speak(processor_of(_loaded(name, parser), options), *streams)


def _loaded(text: str, parser: argparse.ArgumentParser) -> StreamRouter | RecordProcessor:
    module_name, _, name = text.partition(":")
    if not name:
        parser.error(f"{text!r} is not module:name")
    found: object = reduce(getattr, name.split("."), import_module(module_name))
    if not isinstance(found, (StreamRouter, RecordProcessor)):
        parser.error(f"{text} is a {type(found).__name__}, no StreamRouter and no RecordProcessor")
    return found


if __name__ == "__main__":
    main()
