"""What polling costs beside boto3 and the JSON parser: ``python bench/poller.py``.

A page server on this machine gives pages of 1,000 records of 20 attributes with both images. Times
are CPU seconds of the client's thread with the collector off; candidates run in random order within
each round, and what is printed is the median of each round's ratio: on a busy machine only ratios
hold. ``--memory`` reads a million records through a poller and prints how its memory grew;
``--local`` measures pages of DynamoDB Local.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")  # noqa: S106 - none

import boto3
from boto3.dynamodb.types import TypeDeserializer
from decode import Wide, medium  # M: 20 attributes of mixed types, with nesting

from ddbstream import from_item
from ddbstream.poller import Settings, StreamPoller
from ddbstream.poller._client import StreamsApi, make_client
from ddbstream.poller._core.commands import GetRecords, RecordsPage

logging.disable()

# A server in a process of its own, so that its work is not counted.
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

body = open(sys.argv[1], "rb").read()
pages = int(sys.argv[2])
served = 0
SHARD = "shardId-00000001795000000000-00000000"
EMPTY = b'{"Records": [], "NextShardIterator": "i"}'

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        global served
        self.rfile.read(int(self.headers["content-length"]))
        call = self.headers["x-amz-target"].rpartition(".")[2]
        if call == "GetRecords":
            served += 1
            answer = body if served <= pages or pages == 0 else EMPTY
        elif call == "GetShardIterator":
            answer = b'{"ShardIterator": "i"}'
        else:
            shard = {"ShardId": SHARD, "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
            description = {"StreamStatus": "ENABLED", "Shards": [shard]}
            answer = json.dumps({"StreamDescription": description}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def image(n: int) -> dict[str, Any]:
    return medium(f"{n}.95")


def page(count: int) -> bytes:
    records = [
        {
            "eventID": f"{n:032x}",
            "eventName": "MODIFY",
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": {
                "ApproximateCreationDateTime": 1_795_000_000.0,
                "Keys": {name: image(n)[name] for name in ("PK", "SK")},
                "NewImage": image(n + 1),
                "OldImage": image(n),
                "SequenceNumber": f"{100_000_000_000_000_000_000 + n}",
                "SizeBytes": 1400,
                "StreamViewType": "NEW_AND_OLD_IMAGES",
            },
        }
        for n in range(count)
    ]
    return json.dumps({"Records": records, "NextShardIterator": "i"}).encode()


class PageServer:
    def __init__(self, body: bytes, *, pages: int = 0) -> None:
        self._file = tempfile.NamedTemporaryFile(suffix=".json")  # noqa: SIM115 - until __exit__
        self._file.write(body)
        self._file.flush()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, self._file.name, str(pages)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        port = self._process.stdout.readline().strip()
        self.endpoint_url = f"http://127.0.0.1:{port}"

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._file.close()


def ratios(
    candidates: dict[str, Callable[[], object]], against: str, rounds: int
) -> dict[str, float]:
    for candidate in candidates.values():
        candidate()
    times: dict[str, list[float]] = {name: [] for name in candidates}
    gc.disable()
    for _ in range(rounds):
        names = list(candidates)
        random.shuffle(names)
        for name in names:
            began = time.thread_time()
            candidates[name]()
            times[name].append(time.thread_time() - began)
    gc.enable()
    return {
        name: statistics.median(t / b for t, b in zip(each, times[against], strict=True))
        for name, each in times.items()
    }


def typed(records: Any) -> None:
    for record in records:
        change = record["dynamodb"]
        from_item(change["OldImage"], Wide)
        from_item(change["NewImage"], Wide)


def untyped(records: Any) -> None:
    deserialize = TypeDeserializer().deserialize
    for record in records:
        change = record["dynamodb"]
        for which in ("OldImage", "NewImage"):
            {name: deserialize(value) for name, value in change[which].items()}


def measure(endpoint_url: str, body: bytes, iterator: str, rounds: int, title: str) -> None:
    ours = StreamsApi(make_client(endpoint_url=endpoint_url, region_name="us-east-1"), "arn")
    theirs = boto3.client("dynamodbstreams", endpoint_url=endpoint_url, region_name="us-east-1")

    def fast() -> Any:
        got = ours.make(ours.get_records(GetRecords("shard", iterator)))
        assert isinstance(got, RecordsPage), got
        return got.records

    def slow() -> Any:
        return theirs.get_records(ShardIterator=iterator, Limit=1000)["Records"]

    count = len(fast())
    print(f"{title}: {count} records, {len(body) / 1e6:.2f} MB")
    found = ratios({"ours": fast, "boto3": slow, "json": lambda: json.loads(body)}, "ours", rounds)
    show("a page: boto3's get_records / ours", found["boto3"], ">= 6")
    show("a page: ours / json.loads of the body", 1 / found["json"], "<= 1.2")
    found = ratios(
        {"ours": lambda: typed(fast()), "boto3": lambda: untyped(slow())},
        "ours",
        max(3, rounds // 3),
    )
    show("a page to typed objects: boto3 + TypeDeserializer / ours", found["boto3"], ">= 4.8")


def show(what: str, ratio: float, goal: str) -> None:
    print(f"  {what:60} {ratio:6.2f}   goal {goal}", flush=True)


def memory(pages: int, body: bytes) -> None:
    import resource

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6

    class Router:
        def __init__(self) -> None:
            self.records = 0
            self.samples: list[float] = []

        def dispatch(self, payload: Any, /, **_: Any) -> Any:
            self.records += len(payload)
            if self.records % 100_000 == 0:
                self.samples.append(resident())
                print(f"  {self.records:9,} records {self.samples[-1]:8.1f} MB", flush=True)
            if self.records >= pages * 1000:
                poller.stop()
            return SimpleNamespace(processed=len(payload), failures=(), checkpoint=None)

    router = Router()
    with PageServer(body) as server:
        poller = StreamPoller(
            "arn:aws:dynamodb:us-east-1:0:table/T/stream/S",
            router,
            endpoint_url=server.endpoint_url,
            region_name="us-east-1",
            settings=Settings(save_records=10_000),
        )
        began = time.monotonic()
        poller.run()
        seconds = time.monotonic() - began
    print(f"  {router.records:,} records in {seconds:.0f} s")
    half = len(router.samples) // 2
    first, second = max(router.samples[:half]), max(router.samples[half:])
    show("memory: most in the second half / most in the first", second / first, "<= 1.05")


def local(rounds: int) -> None:
    from tests.support.dynamodb_local import DynamoDBLocal, fetch

    with DynamoDBLocal(fetch()) as server, server.table() as table:
        for n in range(1000):
            table.put({**image(n), "PK": {"S": f"Product#{n}"}})
        shard = server.streams.describe_stream(StreamArn=table.stream_arn)["StreamDescription"][
            "Shards"
        ][0]
        iterator = server.streams.get_shard_iterator(
            StreamArn=table.stream_arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        bodies: list[bytes] = []
        client = make_client(endpoint_url=server.endpoint_url, region_name="us-east-1")
        client.meta.events.register_first(
            "before-parse.dynamodb-streams.GetRecords",
            lambda response_dict, **_: bodies.append(response_dict["body"]),
        )
        client.get_records(ShardIterator=iterator, Limit=1000)
        measure_local(server.endpoint_url, bodies[0], iterator, rounds)


def measure_local(endpoint_url: str, body: bytes, iterator: str, rounds: int) -> None:
    ours = StreamsApi(make_client(endpoint_url=endpoint_url, region_name="us-east-1"), "arn")
    theirs = boto3.client("dynamodbstreams", endpoint_url=endpoint_url, region_name="us-east-1")
    print(f"DynamoDB Local: {len(body) / 1e6:.2f} MB")
    found = ratios(
        {
            "ours": lambda: ours.make(ours.get_records(GetRecords("shard", iterator))),
            "boto3": lambda: theirs.get_records(ShardIterator=iterator, Limit=1000),
            "json": lambda: json.loads(body),
        },
        "ours",
        rounds,
    )
    show("a page: boto3's get_records / ours", found["boto3"], ">= 6")
    show("a page: ours / json.loads of the body", 1 / found["json"], "<= 1.2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--local", action="store_true")
    parser.add_argument("--records", type=int, default=1_000_000)
    arguments = parser.parse_args()
    random.seed(0)
    body = page(1000)
    print("the garbage collector is off here; bench/end_to_end.py measures with it on")
    if arguments.memory:
        memory(arguments.records // 1000, body)
        return
    if arguments.local:
        local(arguments.rounds)
        return
    with PageServer(body) as server:
        measure(server.endpoint_url, body, "i", arguments.rounds, "A page server")


if __name__ == "__main__":
    main()
