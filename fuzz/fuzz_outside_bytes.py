"""Fuzz each reader of outside bytes: nothing but ``DDBStreamError`` ever comes out of them.

    python fuzz/fuzz_outside_bytes.py                          every target, 20 seconds each
    python fuzz/fuzz_outside_bytes.py --seconds 3600 ion       one target, for an hour
    python fuzz/fuzz_outside_bytes.py --count 1000000 --seed 7

An input is a good one with some bytes flipped, cut out, doubled, or put in from another.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ddbstream import DDBStreamError, StreamRouter, parse
from ddbstream.cli._documents import documents
from ddbstream.export import open_export, read_records
from ddbstream.export._ion import read_ion_line
from ddbstream.poller import FileCheckpoints, SQLiteCheckpoints
from ddbstream.replay import failed_batches, replay
from ddbstream.testing import insert, kinesis_event, lambda_event, modify

ITEM = {
    "PK": {"S": "Book#1"},
    "n": {"N": "1.5"},
    "t": {"SS": ["a"]},
    "m": {"M": {"b": {"B": "AAE="}}},
}
EVENT = lambda_event([insert(ITEM), modify(ITEM, ITEM | {"n": {"N": "2"}})])
INFO = {
    "streamArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/2026",
    "shardId": "shard-1",
    "startSequenceNumber": "1",
    "endSequenceNumber": "2",
    "batchSize": 2,
    "approximateArrivalOfFirstRecord": "2026-01-01T00:00:00Z",
}
FAILURE = {"requestContext": {"condition": "x"}, "DDBStreamBatchInfo": INFO, "payload": EVENT}
SQS = {"Records": [{"messageId": "m", "body": json.dumps(FAILURE)}]}
SUMMARY = {
    "exportArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T/export/1",
    "tableArn": "arn:aws:dynamodb:eu-west-1:123456789012:table/T",
    "exportTime": "2026-01-01T00:00:00Z",
    "itemCount": 2,
    "outputFormat": "DYNAMODB_JSON",
}
FILE = {"itemCount": 2, "md5Checksum": "A" * 22 + "==", "dataFileS3Key": "AWSDynamoDB/1/data/a.gz"}
LINES = "".join(json.dumps({"Item": ITEM}) + "\n" for _ in range(2)).encode()
ION = (
    b'$ion_1_0 {Item:{PK:"a\\u00e9",n:6d2,h:0xF_F,t:$dynamodb_SS::["a"],b:{{AAE=}},l:[null,true]}}'
)

Target = Callable[[bytes, Path], None]


def read_payload(data: bytes, _: Path) -> None:
    for record in _until_it_ends(parse(data)):
        for name in ("new", "old", "diff", "keys", "approximate_creation_datetime", "table_name"):
            _tried(lambda name=name, record=record: getattr(record, name))


def read_failures(data: bytes, _: Path) -> None:
    list(failed_batches(data))
    router = StreamRouter(classify=lambda _: "x")
    router.on_change()(lambda _: None)
    str(replay(data, router, client=NoStream(), clock=NoTime()))


class NoStream:
    def get_shard_iterator(self, **_: object) -> dict[str, str]:
        return {"ShardIterator": "i"}

    def get_records(self, **_: object) -> dict[str, list[object]]:
        return {"Records": []}


class NoTime:
    def time(self) -> float:
        return 0.0

    def sleep(self, seconds: float, /) -> None: ...


def read_manifests(data: bytes, folder: Path) -> None:
    first, _, second = data.partition(b"\0SPLIT\0")
    (folder / "manifest-summary.json").write_bytes(first)
    (folder / "manifest-files.json").write_bytes(second)
    for file in open_export(folder).files:
        _tried(lambda file=file: list(read_records(file)))


def read_export_file(data: bytes, folder: Path) -> None:
    path = folder / "AWSDynamoDB" / "1" / "data" / "a.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    manifests = folder / "AWSDynamoDB" / "1"
    (manifests / "manifest-summary.json").write_text(json.dumps(SUMMARY))
    (manifests / "manifest-files.json").write_text(json.dumps(FILE))
    (file,) = open_export(manifests).files
    for record in read_records(file, verify=False, max_file_bytes=1 << 24):
        _tried(lambda record=record: record.new)  # type: ignore[attr-defined]


def read_ion(data: bytes, _: Path) -> None:
    read_ion_line(data.decode("utf-8", "replace"))


def read_documents(data: bytes, _: Path) -> None:
    for document in documents(io.BytesIO(data)):
        str(document.error)


def read_checkpoint_file(data: bytes, folder: Path) -> None:
    path = folder / "positions.json"
    path.write_bytes(data)
    store = FileCheckpoints(path)
    store.load(store.acquire("arn", "me", ttl=60.0))


def read_checkpoint_database(data: bytes, folder: Path) -> None:
    path = folder / "positions.db"
    path.write_bytes(data)
    store = SQLiteCheckpoints(path)
    store.load(store.acquire("arn", "me", ttl=60.0))


def _tried(action: Callable[[], object]) -> None:
    with suppress(DDBStreamError, AttributeError):
        action()


def _until_it_ends(records: object) -> object:
    """The records that can be read: an error stands for one, and the next comes behind it."""
    while True:
        try:
            yield next(records)  # type: ignore[call-overload]
        except StopIteration:  # noqa: PERF203 - the others are still to be read
            return
        except DDBStreamError:
            continue


def seeds(folder: Path) -> dict[str, tuple[Target, list[bytes]]]:
    """Each target with good inputs."""
    texts = [
        json.dumps(one).encode() for one in (EVENT, kinesis_event([insert(ITEM)]), FAILURE, SQS)
    ]
    both = json.dumps(SUMMARY).encode() + b"\0SPLIT\0" + json.dumps(FILE).encode()
    found: dict[str, tuple[Target, list[bytes]]] = {
        "parse": (read_payload, texts),
        "failures": (read_failures, texts),
        "manifests": (read_manifests, [both]),
        "export": (read_export_file, [gzip.compress(LINES)]),
        "ion": (read_ion, [ION]),
        "decode": (
            read_documents,
            [*texts, LINES, gzip.compress(LINES), LINES.decode().encode("utf-16")],
        ),
    }
    for name, store, read in (
        ("checkpoint-file", FileCheckpoints, read_checkpoint_file),
        ("checkpoint-database", SQLiteCheckpoints, read_checkpoint_database),
    ):
        path = folder / f"seed-{name}"
        made = store(path)
        made.load(made.acquire("arn", "me", ttl=60.0))
        found[name] = (read, [path.read_bytes()])
    return found


def altered(data: bytes, draw: random.Random, others: list[bytes]) -> bytes:
    made = bytearray(data)
    for _ in range(draw.choice([1, 1, 2, 4, 16])):
        at, length = draw.randrange(len(made) + 1), draw.choice([1, 1, 2, 8, 64])
        kind = draw.randrange(6)
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
        else:
            made[at : at + length] = draw.randbytes(length)
    return bytes(made)


TOKENS = [
    b"null",
    b"[]",
    b"{}",
    b"-1",
    b"1e999",
    b"9" * 5000,
    b'"',
    b"[" * 2000,
    b"\\ud800",
    b"true",
    b"0x_",
    b"\0",
    b"\xff",
    b'{"S":',
    b"'''",
    b"\n",
]


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("targets", nargs="*")
    arguments.add_argument("--seconds", type=float, default=20.0)
    arguments.add_argument("--count", type=int)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for target, (read, good) in seeds(folder).items():
            if options.targets and target not in options.targets:
                continue
            run(target, read, good, folder, options)


def run(
    name: str, read: Target, good: list[bytes], folder: Path, options: argparse.Namespace
) -> None:
    draw = random.Random(options.seed)
    end = time.monotonic() + options.seconds
    count = refused = 0
    while count != options.count if options.count else time.monotonic() < end:
        data = altered(draw.choice(good), draw, good)
        try:
            read(data, folder)
        except DDBStreamError as error:
            refused += 1
            if not str(error).isprintable():
                raise RuntimeError("an error that must not be printed") from error
        except BaseException:
            print(f"{name}, input {count} of seed {options.seed}: {data[:4000].hex()}")
            raise
        count += 1
    print(f"{name}: {count} inputs, {refused} refused, no finding", flush=True)


if __name__ == "__main__":
    main()
