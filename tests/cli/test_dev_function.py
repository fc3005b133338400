"""``ddbstream dev`` runs a function as its event source mapping would, on a real stream."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
from click.testing import CliRunner

from ddbstream.cli._app import cli
from ddbstream.cli._live_stream import LiveStream
from ddbstream.poller import PollContext
from ddbstream.testing import EventSourceMapping, insert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.dynamodb_local import DynamoDBLocal, Table

    Run = Callable[..., subprocess.CompletedProcess[str]]

ROOT = Path(__file__).parents[2]
posix = pytest.mark.skipif(os.name == "nt", reason="signals and pseudo-terminals are POSIX")

# It writes to the table of this machine when it is imported: what comes then is there for --once.
APP = """
import boto3
from ddbstream import LambdaHandler, StreamRouter, by_key_prefix

for key in ("Product#1", "Product#2", "Order#3"):
    item = {"PK": {"S": key}, "SK": {"S": "-"}}
    boto3.client("dynamodb").put_item(TableName="dev", Item=item)

router = StreamRouter(classify=by_key_prefix("PK"))
said = []

@router.on_insert("Product")
def added(record):
    print("printed")
    if record.new["PK"] == "Product#2" and len(said) < FAILURES:
        said.append(1)
        raise ValueError("out of stock")

reporting = LambdaHandler(router, report_batch_item_failures=True)
raising = LambdaHandler(router)

def plain(event, context):
    left = context.get_remaining_time_in_millis() // 1000
    return {"records": len(event["Records"]), "seconds": left}

folding = StreamRouter()

@folding.fold()
def total(state: dict, record) -> dict:
    return {"count": state.get("count", 0) + 1}

@folding.on_window_end
def over(state: dict, window) -> None:
    print("counted", state)
"""


@pytest.fixture
def dev(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """``dev("reporting", "--batch-size", "1")``: the lines of a run, and standard error."""
    monkeypatch.chdir(tmp_path)

    def dev(name: str, *arguments: str, failures: int = 99, code: int = 0) -> Any:
        (tmp_path / "app.py").write_text(APP.replace("FAILURES", str(failures)))
        monkeypatch.setattr("sys.path", ["", *sys.path])
        result = CliRunner().invoke(
            cli, ["dev", f"app:{name}", "--port", "0", "--once", *arguments]
        )
        sys.modules.pop("app", None)
        assert result.exit_code == code, result.output
        return [json.loads(line) for line in result.stdout.splitlines()], result.stderr

    return dev


def invocations(lines: list[Any]) -> list[tuple[int, int, int]]:
    """Of each: how many records, which attempt, how many are done."""
    return [
        (line["records"], line["attempt"], line["done"]) for line in lines if "function" in line
    ]


def test_a_batch_that_fails_is_tried_again_and_then_given_up(dev: Any, tmp_path: Path) -> None:
    lines, errors = dev(
        "reporting", "--maximum-retry-attempts", "0", "--on-failure", "failed.ndjson"
    )
    assert [line["keys"]["PK"] for line in lines if "keys" in line] == [
        "Product#1",
        "Product#2",
        "Order#3",
    ]
    # A partial response is progress, so what is left has its tries; then the third gets its turn.
    assert invocations(lines) == [(3, 1, 1), (2, 1, 0)]
    (document,) = [line["on_failure"] for line in lines if "on_failure" in line]
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["DDBStreamBatchInfo"]["batchSize"] == 2
    assert json.loads((tmp_path / "failed.ndjson").read_text()) == document
    assert errors.count("Traceback") == 2
    assert "printed" in errors
    assert "ddbstream/_router" not in errors


def test_a_batch_that_is_done_the_second_time_is_not_given_up(dev: Any) -> None:
    lines, _ = dev("raising", "--maximum-retry-attempts", "1", failures=1)
    assert invocations(lines) == [(3, 1, 0), (3, 2, 3)]
    assert not any("on_failure" in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--batch-size", "2"], [(2, 1, 2), (1, 1, 1)]),
        (["--filter", '{"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "Order"}]}}}}'], [(1, 1, 1)]),
    ],
)
def test_a_plain_function_gets_what_the_settings_say(
    dev: Any, arguments: list[str], expected: list[Any]
) -> None:
    lines, _ = dev("plain", *arguments)
    assert invocations(lines) == expected
    answers = [line["answer"] for line in lines if "function" in line]
    assert answers[0] == {"records": expected[0][0], "seconds": 2}  # of Lambda's three


def test_a_router_with_a_setting_of_a_mapping_is_called_as_a_function_that_reports(
    dev: Any,
) -> None:
    lines, _ = dev("router", "--bisect", "--maximum-retry-attempts", "0", failures=0)
    assert invocations(lines) == [(3, 1, 3)]
    assert [line["handler"] for line in lines if "handler" in line] == ["app.added"] * 2


def test_folds_run_in_a_tumbling_window(dev: Any) -> None:
    lines, errors = dev("folding", "--tumbling-window", "1")
    assert invocations(lines)[-1] == (0, 1, 0)
    assert "counted {'count': " in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--filter", "{"], "is not JSON"),
        (["--filter", "[]"], "has to be a JSON object"),
        (["--batch-size", "0"], "batch-size"),
        (["--tumbling-window", "5", "--parallelization", "2"], "parallelization"),
        (["--template", "nothing.yml"], "does not exist"),
    ],
)
def test_wrong_settings_are_wrong_usage(dev: Any, arguments: list[str], message: str) -> None:
    _, errors = dev("plain", *arguments, code=2)
    assert message in errors
    assert "Traceback" not in errors


def test_a_mapping_that_loses_what_the_handler_reports_is_warned_of(dev: Any) -> None:
    lines, errors = dev("reporting", "--no-report-batch-item-failures")
    assert "what failed is lost" in errors
    assert invocations(lines) == [(3, 1, 3)]


@posix
def test_on_a_terminal_it_reads_as_a_story(
    on_a_terminal: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "app.py").write_text(APP.replace("FAILURES", "99"))
    seen = on_a_terminal(
        *("dev", "app:reporting", "--port", "0", "--once", "--batch-size", "2"),
        *("--maximum-retry-attempts", "0"),
        columns=80,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen).replace("\r", "")
    story = [
        "app-reporting follows dev from TRIM_HORIZON: batches of 2 at most, 0 retries, partial",
        "app-reporting gets 2 records\n",
        "INSERT Product  PK=Product#1  SK=-\n",
        "printed\n",
        "  ✓ app.added  PK=Product#1  SK=-",
        "ValueError: out of stock\n",
        "  ✗ app-reporting  1 of 2 records done: batch item failures\n",
        "app-reporting gets 1 record\n",
        "  given up after 1 attempt: RetryAttemptsExhausted\n",
        '  "DDBStreamBatchInfo": {\n',
        "app-reporting gets 1 record\n",
        "  ✓ app-reporting",
    ]
    for line in story:
        assert line in plain
        plain = plain.partition(line)[2]


class Running:
    """``ddbstream dev`` in a process: its API, its table, and what it says."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "ddbstream", "dev", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            text=True,
        )
        self.errors: Queue[str] = Queue()
        self.output: Queue[str] = Queue()
        self._threads = [
            Thread(target=self._read, args=(self.process.stderr, self.errors)),
            Thread(target=self._read, args=(self.process.stdout, self.output)),
        ]
        for thread in self._threads:
            thread.start()

    @staticmethod
    def _read(stream: Any, into: Queue[str]) -> None:
        for line in stream:
            into.put(line)

    def until(self, pattern: str) -> str:
        """What a line of standard error says in the place of the pattern's group."""
        while True:
            found = re.search(pattern, self.errors.get(timeout=30))
            if found:
                return found[1]

    def line(self, *names: str) -> Any:
        """The next line of standard output that has one of these names."""
        while True:
            line = json.loads(self.output.get(timeout=30))
            if set(names) & set(line):
                return line

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(timeout=30)
        for thread in self._threads:
            thread.join()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code


@pytest.fixture
def example(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    shutil.copytree(ROOT / "examples" / "product_catalog", tmp_path / "catalogue")
    running: list[Running] = []

    def start(*arguments: str) -> Running:
        running.append(
            Running(tmp_path / "catalogue", "--port", "0", "--api-port", "0", *arguments)
        )
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.end()


@posix
@pytest.mark.slow
def test_the_examples_mapping_runs_here_as_it_is_written(example: Callable[..., Running]) -> None:
    """A product is posted and captured; one that cannot be read is retried once and given up."""
    dev = example()
    table = dev.until(r"DynamoDB table ProductTable at (\S+),")
    api = dev.until(r"API at (\S+): POST /product\b")
    assert dev.until(r"follows ProductTable from (.*)$") == (
        "TRIM_HORIZON: batches of 100 at most, a window of 1 s, 1 retry, partial responses"
    )
    connection = HTTPConnection(api.removeprefix("http://"), timeout=30)
    body = json.dumps({"name": "Walnut desk", "price": 1299, "category": "furniture"})
    connection.request("POST", "/product", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    posted = json.loads(response.read())
    connection.close()
    assert response.status == 201
    captured = dev.line("keys")
    assert (captured["event"], captured["entity"]) == ("INSERT", "Product")
    assert captured["keys"]["PK"] == f"Product#{posted['id']}"
    assert dev.line("function")["done"] == 1
    assert dev.until(r"INFO product_changes (INSERT Product \S+)$").endswith(posted["id"])

    client: Any = boto3.client("dynamodb", endpoint_url=table, region_name="us-east-1")
    broken = {"PK": {"S": "Product#7"}, "SK": {"S": "User#Product"}}
    client.put_item(TableName="ProductTable", Item=broken)
    client.close()
    assert [dev.line("function")["attempt"] for _ in range(2)] == [1, 2]
    document = dev.line("on_failure")["on_failure"]
    assert document["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert document["requestContext"]["approximateInvokeCount"] == 2
    assert document["DDBStreamBatchInfo"]["batchSize"] == 1
    assert dev.end() == 0


@posix
@pytest.mark.slow
def test_a_saved_template_is_what_runs_next(
    example: Callable[..., Running], tmp_path: Path
) -> None:
    dev = example("--reload")
    assert ", 1 retry," in dev.until("follows ProductTable from (.*)$")
    file = tmp_path / "catalogue" / "serverless.yml"
    text = file.read_text().replace("maximumRetryAttempts: 1", "maximumRetryAttempts: 3")
    (tmp_path / "new.yml").write_text(text)
    (tmp_path / "new.yml").replace(file)
    assert ", 3 retries," in dev.until("follows ProductTable from (.*)$")
    assert dev.end() == 0


def test_a_shard_waits_for_those_it_came_out_of() -> None:
    """As AWS does: an item's changes keep their order when its shard is split."""
    parents = {"old": None, "middle": "old", "new": "middle", "other": None}
    stream = LiveStream(lambda live: None, lambda arn: parents)  # type: ignore[arg-type,return-value]
    handled: list[str] = []

    def handler(event: Any, context: Any) -> None:
        (record,) = event["Records"]
        handled.append(record["dynamodb"]["Keys"]["PK"]["S"])
        if handled == ["1"]:
            raise ValueError

    for number, shard in enumerate(("old", "new", "other"), start=1):
        record = insert({"PK": str(number)})
        stream.dispatch([record], context=PollContext("arn:…/stream/1", shard, 1))
    mapping = EventSourceMapping(handler, stream)
    mapping.run()
    assert handled == ["1", "3", "1", "2"]
    assert stream.is_over


def test_what_ends_the_reading_ends_the_mapping() -> None:
    class Broken:
        def run_until_caught_up(self) -> None:
            raise LookupError("no such stream")

        def stop(self) -> None: ...

    stream = LiveStream(lambda live: Broken(), dict)  # type: ignore[arg-type,return-value]
    stream.start(once=True)
    stream.stop()
    with pytest.raises(LookupError, match="no such stream"):
        EventSourceMapping(lambda event, context: None, stream).run()


@posix
@pytest.mark.dynamodb_local
def test_on_dynamodb_local_a_shard_that_rolled_over_is_worked_through_before_its_child(
    tmp_path: Path, dynamodb_local: DynamoDBLocal, local_table: Table
) -> None:
    (tmp_path / "app.py").write_text("def handler(event, context): ...\n")
    item: dict[str, Any] = {"PK": {"S": "Product#1"}, "SK": {"S": "-"}}
    for number in range(3):
        local_table.put({**item, "price": {"N": str(number)}})
        dynamodb_local.control.rollover()
    dev = Running(
        tmp_path,
        *("app:handler", "--endpoint-url", dynamodb_local.endpoint_url),
        *("--region", dynamodb_local.region, "--table", local_table.name),
        *("--starting-position", "TRIM_HORIZON"),
    )
    try:
        seen = [dev.line("new", "function") for _ in range(6)]
        assert [line["new"]["price"] for line in seen if "new" in line] == [0, 1, 2]
        assert invocations(seen) == [(1, 1, 1)] * 3
    finally:
        code = dev.end()
    assert code == 0
