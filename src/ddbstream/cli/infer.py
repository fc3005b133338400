"""``ddbstream infer``: from a table to the classes that read it."""

from __future__ import annotations

import gzip
import json
import tempfile
from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping
from keyword import iskeyword
from pathlib import Path
from typing import IO, Any, Final

import click

from ddbstream import parse
from ddbstream._infer.grouping import Grouping
from ddbstream._infer.inference import Inference
from ddbstream._infer.names import class_name, singular
from ddbstream._infer.source import STYLES
from ddbstream.cli._parameters import Loaded
from ddbstream.cli._sources import Found, Source, in_one_line, open_source, reading, source_options
from ddbstream.cli._standard_streams import complain, write_out
from ddbstream.exceptions import DDBStreamError

__all__ = ["infer"]

#: Of a live table, unless asked for more: enough to see what is common, for a few cents at most.
_SAMPLE: Final = 10_000

_MOST_FAULTS_SHOWN: Final = 10


@click.command(short_help="Write classes that read a table's items, as a Python module.")
@click.argument("source", default="-")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--style", type=click.Choice(STYLES), default="dataclass", show_default=True)
@click.option("--all", "whole", is_flag=True, help=f"All of a table, and not {_SAMPLE:,} items.")
@click.option("--name", metavar="NAME", help="All items are of one class, with this name.")
@click.option("--type-attribute", metavar="ATTRIBUTE", help="Items say there what they are.")
@click.option(
    "--classify",
    type=Loaded("function"),
    metavar="MODULE:FUNCTION",
    help="A classifier, as a router takes it, says what items are.",
)
@click.option("--separator", default="#", show_default=True, help="Of the parts of keys.")
@click.option("--no-literals", is_flag=True, help="Texts of a few values are str, and no Literal.")
@click.option("--router", is_flag=True, help="A first router too, and with --output a first test.")
@source_options
def infer(source: str, output: Path | None, **options: Any) -> None:
    """Write classes that read the items of SOURCE, as a Python module.

    SOURCE is a table's name (a sample of it, by a parallel scan, unless --all), with --stream or by
    its ARN a table's stream, an export (a folder or s3://...), a file of NDJSON or of what `aws
    dynamodb scan` prints, also compressed (.gz), or standard input (-, or nothing).

    Items are told apart by a type attribute or by the words in their keys, and each kind becomes a
    class. All items are read once more with these classes before anything is written.

    Exit codes: 0 written; 1 there was nothing to read, an item could not be read, or AWS refused,
    and standard error says which; 2 wrong usage.
    """
    files = _files(output, with_test=options["router"], force=options["force"])
    with in_one_line(source):
        opened = open_source(source, options)
        inference = _inference(opened, options)
        with _Kept() as kept:
            faults = _fold(opened, inference, kept, options)
            if not inference.count:
                first = f": {faults[0]}" if faults else ""
                raise click.ClickException(f"{opened.name} holds no items that can be read{first}")
            name = _plain(opened.name)
            about = f"Models of {name}, inferred by ddbstream from {inference.count:,} items."
            text = inference.module(about, router=options["router"])
            faults += _prove(inference, text, kept, options["style"])
    _write([text, *([inference.test(files[0].stem)] if len(files) > 1 else [])], files)
    _tell(inference, faults)
    if faults:
        raise SystemExit(1)


def _inference(source: Source, options: Mapping[str, Any]) -> Inference:
    given, loaded = options["name"], options["classify"]
    grouping = Grouping(
        keys=source.keys,
        separator=options["separator"],
        type_attribute=options["type_attribute"],
        classify=_classifying(loaded, source.keys) if loaded is not None else None,
        single=given is not None,
    )
    module, name = getattr(loaded, "__module__", ""), getattr(loaded, "__name__", "")
    return Inference(
        grouping,
        name=class_name(given or singular(source.stem)),
        style=options["style"],
        choices=not options["no_literals"],
        ttl=source.ttl,
        classifier=(module, name) if loaded is not None else None,
    )


def _classifying(classify: Callable[[Any], Any], keys: Any) -> Callable[[Any], str | None]:
    """A router's classifier, which takes records, for items."""

    def of(item: Mapping[str, Any]) -> str | None:
        present = {name: item[name] for name in keys if name in item}
        change = {"Keys": present, "NewImage": item, "StreamViewType": "NEW_IMAGE"}
        (record,) = parse([{"eventName": "INSERT", "dynamodb": change}])
        entity: str | None = classify(record)
        return entity

    return of


def _fold(
    source: Source, inference: Inference, kept: _Kept, options: Mapping[str, Any]
) -> list[str]:
    """Read the source once; what could not be read."""
    sample: int | None = options["sample"]
    if sample is None and source.is_live and not options["whole"]:
        sample = _SAMPLE
    faults: list[str] = []
    with reading(source, "reading", sample) as advance:

        def take(found: Found) -> None:
            advance()
            try:
                if found.error is not None or found.item is None:
                    raise found.error or DDBStreamError("it is no item")
                inference.add(found.item)
            except DDBStreamError as error:
                faults.append(f"{found.where}: {error}".removeprefix(": "))
            else:
                kept.add(found.item)

        source.read(take, sample)
    return faults


def _prove(inference: Inference, text: str, kept: _Kept, style: str) -> list[str]:
    """Read each item with the classes that were made from them all; what they could not read."""
    try:
        reader = inference.reader(text)
    except ModuleNotFoundError as error:
        complain(f"{error.name} is not installed: the {style} classes are not proven")
        return []
    faults = []
    for item in kept.items():
        try:
            reader.read(item)
        except DDBStreamError as error:  # noqa: PERF203 - the others are still to be read
            faults.append(f"not proven, please report it: {error}")
    reader.close()
    return faults


class _Kept:
    """Items on disk for a second reading, in a file without a name that nobody else can open."""

    def __enter__(self) -> _Kept:
        self._file: IO[bytes] = tempfile.TemporaryFile()
        self._packed = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=1)
        return self

    def __exit__(self, *_: object) -> None:
        self._packed.close()
        self._file.close()

    def add(self, item: Mapping[str, Any]) -> None:
        """Keep an item, as JSON has it."""
        self._packed.write(json.dumps(item, default=_base64).encode() + b"\n")

    def items(self) -> Iterator[Any]:
        """All of them, one at a time."""
        self._packed.close()
        self._file.seek(0)
        with gzip.GzipFile(fileobj=self._file, mode="rb") as lines:
            for line in lines:
                yield json.loads(line)


def _base64(value: Any) -> str:
    return b2a_base64(bytes(value), newline=False).decode()


def _files(output: Path | None, *, with_test: bool, force: bool) -> list[Path]:
    """The files to write, checked before anything is read."""
    if output is None:
        return []
    files = [output, *([output.with_name(f"test_{output.stem}.py")] if with_test else [])]
    if with_test and (not output.stem.isidentifier() or iskeyword(output.stem)):
        raise click.UsageError(f"the test cannot import {output.stem}: it is no module's name")
    for path in files:
        try:
            is_there = path.exists()
        except (OSError, RuntimeError) as error:  # too long a name, or a loop of links
            reason = getattr(error, "strerror", None) or "a loop of links"
            raise click.UsageError(f"{path}: {reason}") from None
        if is_there and not force:
            raise click.UsageError(f"{path} is there already; --force writes over it")
    return files


def _write(texts: list[str], files: list[Path]) -> None:
    if not files:
        write_out(texts[0], newline=False)
        return
    try:
        for path, text in zip(files, texts, strict=True):
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}") from None


def _tell(inference: Inference, faults: list[str]) -> None:
    for fault in faults[:_MOST_FAULTS_SHOWN]:
        complain(fault)
    if len(faults) > _MOST_FAULTS_SHOWN:
        complain(f"and {len(faults) - _MOST_FAULTS_SHOWN:,} more that could not be read")
    counts = ", ".join(f"{one.name} {one.group.map.count:,}" for one in inference.entities)
    complain(f"{inference.count:,} items: {counts}")


def _plain(text: str) -> str:
    """A name as it may stand in a docstring."""
    return "".join(c if c.isprintable() and c not in '"\\' else "?" for c in text)[:60]
