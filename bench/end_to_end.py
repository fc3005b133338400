"""Every row that has a goal; first what users feel, a poller beside the loop that people write.

``python3 dev.py bench end_to_end``. A server in a process of its own gives pages of 1,000 records
of 20 attributes with both images. Each candidate reads all of them through the public classes;
counted is the CPU time of this process, so the HTTP, the checks and the saves are in it. What a run
over a stream without records takes, to make a client above all, is not counted, for nobody: who
reads a stream reads for long. Candidates run in random order within each round, and what is printed
is the median of each round's ratio: on a busy machine only ratios hold. The garbage collector is
on, as it is for users.

bloop, the other library that reads streams, is measured beside them where it is installed.

What the benchmarks of single parts measure follows: those run with the collector off, which each
row says.

``--output docs/_bench`` also writes the table as Markdown and as an SVG plot, which the docs
show.
"""

from __future__ import annotations

import argparse
import base64
import gc
import gzip
import json
import logging
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
os.environ.update(AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")  # noqa: S106 - none

import boto3
from boto3.dynamodb.types import TypeDeserializer
from decode import Wide
from poller import image, page
from rows import Row, heading, shown

from ddbstream import Insert, Modify, StreamRouter, by_key_prefix, from_item, parse
from ddbstream.export import ExportFile, load
from ddbstream.poller import MemoryCheckpoints, StreamPoller
from ddbstream.poller._client import StreamsApi, make_client
from ddbstream.poller._core.commands import GetRecords, RecordsPage

logging.disable()

ARN = "arn:aws:dynamodb:us-east-1:0:table/T/stream/S"
REGION = "us-east-1"

# Each iterator that is asked for starts at the first page again.
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

body = open(sys.argv[1], "rb").read()
pages, shards = int(sys.argv[2]), int(sys.argv[3])
LISTED = [
    {"ShardId": f"shardId-00000001795000000000-{n:08x}",
     "SequenceNumberRange": {"StartingSequenceNumber": "1"}}
    for n in range(shards)
]
DESCRIPTION = json.dumps({"StreamDescription": {"StreamStatus": "ENABLED", "Shards": LISTED}})
END = len(body) - len(b'"i"}')
assert body[END:] == b'"i"}'

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        call = self.headers["x-amz-target"].rpartition(".")[2]
        if call == "GetRecords":
            number = int(request["ShardIterator"])
            following = b'"%d"}' % (number + 1)
            answer = body[:END] + following
            if number >= pages:
                answer = b'{"Records": [], "NextShardIterator": ' + following
        elif call == "GetShardIterator":
            answer = b'{"ShardIterator": "0"}'
        else:
            answer = DESCRIPTION.encode()
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


class PageServer:
    def __init__(self, body: bytes, *, pages: int, shards: int) -> None:
        self._file = tempfile.NamedTemporaryFile(suffix=".json")  # noqa: SIM115 - until __exit__
        self._file.write(body)
        self._file.flush()
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVER, self._file.name, str(pages), str(shards)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.endpoint_url = f"http://127.0.0.1:{self._process.stdout.readline().strip()}"

    def __enter__(self) -> PageServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._file.close()


Work = Callable[[], object]


def measured(candidates: dict[str, Work], rounds: int) -> list[dict[str, float]]:
    """CPU seconds of this process, by round and candidate; the collector is on."""
    assert gc.isenabled()
    for candidate in candidates.values():
        candidate()
    found = []
    for _ in range(rounds):
        names = list(candidates)
        random.shuffle(names)
        seconds = {}
        for name in names:
            gc.collect()
            began = time.process_time()
            candidates[name]()
            seconds[name] = time.process_time() - began
        found.append(seconds)
    return found


def ratio(found: list[dict[str, float]], one: str, other: str) -> float:
    return statistics.median(each[one] / each[other] for each in found)


def routers() -> dict[str, StreamRouter]:
    nothing = StreamRouter(classify=by_key_prefix("PK"))
    both = StreamRouter(classify=by_key_prefix("PK"))
    changed = StreamRouter(classify=by_key_prefix("PK"))

    @nothing.on_modify("Product")
    def seen(record: Modify[dict[str, Any]]) -> None:
        pass

    @both.on_modify("Product")
    def read(record: Modify[Wide]) -> None:
        record.old, record.new  # noqa: B018

    @changed.on_modify("Product", changed="price")
    def repriced(record: Modify[Wide]) -> None:
        record.new  # noqa: B018

    return {"reads nothing": nothing, "both images typed": both, "changed=, one image": changed}


def poll(endpoint_url: str, router: StreamRouter) -> None:
    poller = StreamPoller(
        ARN,
        router,
        checkpoints=MemoryCheckpoints(),
        endpoint_url=endpoint_url,
        region_name=REGION,
    )
    poller.run_until_caught_up()


def boto3_loop(endpoint_url: str) -> None:
    client = boto3.client("dynamodbstreams", endpoint_url=endpoint_url, region_name=REGION)
    deserialize = TypeDeserializer().deserialize
    shards = client.describe_stream(StreamArn=ARN)["StreamDescription"]["Shards"]
    for shard in shards:
        iterator = client.get_shard_iterator(
            StreamArn=ARN, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while True:
            answer = client.get_records(ShardIterator=iterator, Limit=1000)
            if not answer["Records"]:
                break
            for record in answer["Records"]:
                for name in ("OldImage", "NewImage"):
                    image = record["dynamodb"][name]
                    {attribute: deserialize(value) for attribute, value in image.items()}
            iterator = answer["NextShardIterator"]


def bloop_loop(endpoint_url: str) -> None:
    """As bloop's documentation says; it leaves the images in boto3's form, and none is decoded."""
    from bloop.session import SessionWrapper
    from bloop.stream.coordinator import Coordinator

    options = {"endpoint_url": endpoint_url, "region_name": REGION}
    clients = [boto3.client(name, **options) for name in ("dynamodb", "dynamodbstreams")]
    stream = Coordinator(session=SessionWrapper(*clients), stream_arn=ARN)
    stream.move_to("trim_horizon")
    while next(stream) is not None:
        pass


def has_bloop() -> bool:
    try:
        import bloop  # noqa: F401
    except ImportError:
        print(
            "    bloop is not installed, so it has no row. It pins boto3 1.34.131, whose\n"
            "    botocore is too old to give pages as text: pip install --no-deps bloop blinker"
        )
        return False
    return True


def polling(body: bytes, pages: int, shards: int, rounds: int) -> Iterator[Row]:
    size = len(json.loads(body)["Records"])
    few = 2
    with (
        PageServer(body, pages=pages, shards=shards) as server,
        PageServer(body, pages=few, shards=shards) as short,
        PageServer(body, pages=0, shards=shards) as empty,
    ):
        runs: dict[str, tuple[Callable[[str], object], str, int]] = {
            name: (lambda url, router=router: poll(url, router), server.endpoint_url, pages)
            for name, router in routers().items()
        }
        runs["boto3"] = (boto3_loop, short.endpoint_url, few)
        if shards == 1 and has_bloop():
            runs["bloop"] = (bloop_loop, short.endpoint_url, few)
        candidates: dict[str, Work] = {}
        for name, (run, url, _) in runs.items():
            candidates[name] = lambda run=run, url=url: run(url)
            candidates[f"{name}, no records"] = lambda run=run: run(empty.endpoint_url)
        candidates["json"] = lambda: [json.loads(body) and None for _ in range(4)]
        found = []
        for each in measured(candidates, rounds):
            one = {
                name: (each[name] - each[f"{name}, no records"]) / (count * shards * size) * 1e6
                for name, (_, _, count) in runs.items()
            }
            found.append({**one, "json": each["json"] / (4 * size) * 1e6})
    for name in found[0]:
        middle = statistics.median(one[name] for one in found)
        print(f"    {name:20} {middle:8.1f} us a record", flush=True)
    at = f"{shards} shard{'s' * (shards > 1)}"
    goals = {
        "reads nothing": (">= 60", "<= 0.12"),
        "both images typed": (">= 20", "<= 0.35"),
        "changed=, one image": (">= 25", "<= 0.3"),
    }
    for name, (throughput, parsing) in goals.items():
        yield Row(f"{at}: boto3's loop / {name}", ratio(found, "boto3", name), throughput, True)
        if "bloop" in runs:
            yield Row(f"{at}: bloop / {name}", ratio(found, "bloop", name), ">= 1", True)
        yield Row(f"{at}: {name} / json.loads alone", ratio(found, name, "json"), parsing, True)


def memory(body: bytes) -> Iterator[Row]:
    with PageServer(body, pages=5, shards=1) as server:
        api = StreamsApi(make_client(endpoint_url=server.endpoint_url, region_name=REGION), ARN)
        call = api.get_records(GetRecords("shard", "0"))
        api.make(call)
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        answer = api.make(call)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert isinstance(answer, RecordsPage)
    yield Row("memory held for a page / its body", (after - before) / len(body), "<= 1.5", True)


def drain(records: Iterable[Any], *, typed: bool) -> None:
    for record in records:
        if typed:
            record.old, record.new  # noqa: B018


def kinesis(rounds: int) -> Iterator[Row]:
    texts = [
        json.dumps(
            {
                **{name: record[name] for name in ("eventID", "eventName", "awsRegion")},
                "recordFormat": "application/json",
                "tableName": "T",
                "userIdentity": None,
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    name: record["dynamodb"][name]
                    for name in ("Keys", "NewImage", "OldImage", "SizeBytes")
                },
            }
        ).encode()
        for record in json.loads(page(500))["Records"]
    ]
    lambdas = {
        "Records": [
            {
                "eventSource": "aws:kinesis",
                "kinesis": {
                    "data": base64.b64encode(text).decode(),
                    "sequenceNumber": str(number),
                },
            }
            for number, text in enumerate(texts)
        ]
    }

    def from_dicts() -> None:
        for entry in lambdas["Records"]:
            change = json.loads(base64.b64decode(entry["kinesis"]["data"]))["dynamodb"]
            from_item(change["OldImage"], Wide)
            from_item(change["NewImage"], Wide)

    found = measured(
        {
            "json": lambda: [
                json.loads(base64.b64decode(entry["kinesis"]["data"])) and None
                for entry in lambdas["Records"]
            ],
            "unread": lambda: drain(parse(lambdas), typed=False),
            "dicts": from_dicts,
            "typed": lambda: drain(parse(lambdas, Wide), typed=True),
        },
        rounds,
    )
    unread = ratio(found, "unread", "json")
    yield Row("a Kinesis record nobody reads / json.loads", unread, "<= 0.2", True)
    what = "a Kinesis record, both typed / json.loads and from_item"
    yield Row(what, ratio(found, "typed", "dicts"), "<= 0.5", True)


def export(rounds: int) -> Iterator[Row]:
    count = 3_000
    lines = b"\n".join(json.dumps({"Item": image(n)}).encode() for n in range(count))
    typed = StreamRouter(classify=by_key_prefix("PK"))
    typed.bind("Product", Wide)

    @typed.on_insert(Wide)
    def read(record: Insert[Wide]) -> None:
        record.new  # noqa: B018

    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.json.gz"
        data.write_bytes(gzip.compress(lines))

        def by_hand() -> None:
            with gzip.open(data) as file:
                for line in file:
                    from_item(json.loads(line)["Item"], Wide)

        found = measured(
            {"hand": by_hand, "load": lambda: load(ExportFile(str(data), count), typed)}, rounds
        )
    what = "an export's items typed: gzip, json.loads and from_item / load()"
    yield Row(what, ratio(found, "hand", "load"), ">= 2", True)


def apart(call: str) -> Iterator[Row]:
    """What a function of this folder's programs yields, in a process of its own.

    After pages and pollers the heap and the caches are no longer what they are in a function.
    """
    code = f"import json, {call.partition('.')[0]}; print(json.dumps(list({call})))"
    output = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, stdout=subprocess.PIPE, check=True
    ).stdout
    yield from (Row(*each) for each in json.loads(output))


IMPORT = """
import dataclasses, datetime, decimal, logging, time, typing
began = time.process_time()
import ddbstream
print((time.process_time() - began) * 1000)
"""


def imports(rounds: int) -> Iterator[Row]:
    """What a cold start pays; bytecode is kept and looked for in a folder of its own."""
    with tempfile.TemporaryDirectory() as kept, tempfile.TemporaryDirectory() as empty:
        for what, folder, goal in (
            ("import ddbstream", kept, "<= 2 ms"),
            ("import ddbstream, nothing compiled", empty, "<= 8 ms"),
        ):
            environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder}
            command = [sys.executable, *(["-B"] if folder == empty else []), "-c", IMPORT]
            runs = [
                float(subprocess.run(command, env=environment, stdout=-1, check=True).stdout)
                for _ in range(2 * rounds + 1)
            ]
            # The least is the import's own: what else the machine does can only add to it.
            yield Row(what, min(runs), goal, True)


def written(rows: list[Row], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    lines = [
        f"CPython {platform.python_version()}, {os.cpu_count()} cores, load {load}.",
        "",
        "| what | measured | goal | | collector |",
        "| --- | ---: | ---: | --- | --- |",
    ]
    for row in rows:
        goal = row.goal.replace(">=", "≥").replace("<=", "≤")
        on = "on" if row.collector else "off"
        lines.append(f"| {row.what} | {row.value:.3g} | {goal} | {row.verdict} | {on} |")
    (folder / "end_to_end.md").write_text("\n".join(lines) + "\n")
    (folder / "end_to_end.svg").write_text(plotted(rows))


def plotted(rows: list[Row]) -> str:
    """The comparisons of pollers as bars, the goal of each as a line."""
    bars = [(row, float(row.goal[3:])) for row in rows if " shard" in row.what and ">" in row.goal]
    most = max([row.value for row, _ in bars] + [goal for _, goal in bars], default=1)
    height = 28 * len(bars) + 10
    size = f'viewBox="0 0 900 {height}" width="900" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="13" font-family="sans-serif">',
        f"<title>How many times less CPU: {len(bars)} comparisons</title>",
    ]
    for index, (row, limit) in enumerate(bars):
        y, width, goal = 10 + 28 * index, row.value / most * 380, 430 + limit / most * 380
        parts.append(f'<text x="0" y="{y + 13}">{row.what}</text>')
        parts.append(f'<rect x="430" y="{y}" width="{width:.0f}" height="18" fill="#4a7ebb"/>')
        parts.append(f'<text x="{440 + max(width, goal - 430):.0f}" y="{y + 13}">')
        parts.append(f"{row.value:.1f}x</text>")
        parts.append(f'<path d="M{goal:.0f} {y - 3}v24" stroke="#b5482f" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=100)
    parser.add_argument("--only", action="append", metavar="PART", help="one, many, memory, …")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    random.seed(0)
    body, rounds, pages = page(1000), arguments.rounds, arguments.pages
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    print(f"CPU of the process; load {load}", flush=True)
    print(heading())
    parts: dict[str, Callable[[], Iterator[Row]]] = {
        "one": lambda: polling(body, pages, 1, rounds),
        "many": lambda: polling(body, pages // 10, 10, max(3, rounds // 2)),
        "memory": lambda: memory(body),
        "kinesis": lambda: apart(f"end_to_end.kinesis({3 * rounds})"),
        "export": lambda: apart(f"end_to_end.export({rounds})"),
        "imports": lambda: imports(rounds),
        "decode": lambda: apart(f"decode.rows({0.2 * rounds})"),
        "diff": lambda: apart(f"diff.rows({4 * rounds})"),
        "router": lambda: apart(f"router.rows({8 * rounds})"),
    }
    rows = []
    for name in arguments.only or parts:
        rows += shown(parts[name]())
    if arguments.output is not None:
        written(rows, arguments.output)


if __name__ == "__main__":
    main()
