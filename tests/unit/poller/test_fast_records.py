"""The poller's own client takes records as they come over the wire, and botocore keeps the rest.

What holds of a page holds of all forms: botocore before 1.35.16 has no event to take the records
at, and gives them in boto3's; without msgspec, ``json`` reads the page.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import zlib
from datetime import datetime, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import botocore
import pytest

from ddbstream import parse
from ddbstream._wire.pages import Page
from ddbstream.poller import _fast_records
from ddbstream.poller._client import StreamsApi, knows_timestamps, make_client
from ddbstream.poller._core.commands import CommandFailed, GetRecords, RecordsPage

RECORD = {
    "eventID": "1",
    "eventName": "INSERT",
    "dynamodb": {
        "ApproximateCreationDateTime": 1_700_000_000.0,
        "Keys": {"PK": {"S": "a"}},
        "NewImage": {"PK": {"S": "a"}, "b": {"B": "AP8="}, "n": {"N": "1.50"}},
        "SequenceNumber": "100000000000000000001",
    },
}
PAGE = {"Records": [RECORD], "NextShardIterator": "next"}
VERSION = tuple(int(part) for part in botocore.__version__.split(".")[:3])
HAS_EVENT = VERSION >= (1, 35, 16)


@pytest.fixture(scope="module")
def server():
    """Answers each call with the next of ``answers``: a status, a body, and headers of its own."""
    answers = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["content-length"]))
            status, body, headers = answers.pop(0) if len(answers) > 1 else answers[0]
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    http = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    http.answers = answers
    yield http
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture(scope="module", params=["wire", "json", "boto3"] if HAS_EVENT else ["boto3"])
def form(request):
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "json":
            patch.setattr(_fast_records, "_read_answer", None)
        yield request.param


@pytest.fixture(scope="module")
def read(server, form):
    client = make_client(
        endpoint_url=f"http://127.0.0.1:{server.server_port}", region_name="us-east-1"
    )
    if HAS_EVENT and form == "boto3":  # as if this botocore were too old to have it
        event = "before-parse.dynamodb-streams.GetRecords"
        client.meta.events.unregister(event, unique_id="ddbstream-fast-records")

    def call(status, body, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        server.answers[:] = [(status, text, headers)]
        api = StreamsApi(client, "arn")
        return api.make(api.get_records(GetRecords("shard", "iterator")))

    call.client = client
    return call


def test_a_page_is_its_records_and_what_follows(read):
    page = read(200, PAGE)
    assert isinstance(page, RecordsPage)
    assert [record["eventID"] for record in page.records] == ["1"]
    assert page.next_iterator == "next"
    assert page.size == len(json.dumps(PAGE))


def test_records_come_as_the_wire_has_them_where_botocore_lets_them(read, form):
    records = read(200, PAGE).records
    if form != "boto3":
        assert isinstance(records, Page if form == "wire" else list)
        assert records == [RECORD]
        return
    change = records[0]["dynamodb"]
    assert change["NewImage"]["b"] == {"B": b"\x00\xff"}
    created = datetime.fromtimestamp(1_700_000_000, timezone.utc)
    assert change["ApproximateCreationDateTime"] == created


def test_both_forms_are_the_same_record(read):
    (record,) = parse(read(200, PAGE).records)
    assert record.new == {"PK": "a", "b": b"\x00\xff", "n": Decimal("1.50")}
    assert record.approximate_creation_datetime == datetime.fromtimestamp(1.7e9, timezone.utc)
    assert record.sequence_number == "100000000000000000001"


WITHOUT_MSGSPEC = """
import sys
sys.modules["msgspec"] = None
from ddbstream import StreamRouter, parse
from ddbstream.poller import StreamPoller, _fast_records
from ddbstream.testing import FakeStream, kinesis_event
assert _fast_records._read_answer is None
stream, router, seen = FakeStream("T"), StreamRouter(), []
stream.put({"PK": {"S": "a"}})
router.on_insert()(lambda record: seen.append(record.new))
StreamPoller("T", router, client=stream, clock=stream.clock).run_until_caught_up()
(record,) = parse(kinesis_event([{"eventName": "INSERT", "dynamodb": {"NewImage": {}}}]))
assert seen == [{"PK": "a"}] and record.new == {}
"""


def test_a_poller_without_msgspec_reads_as_well():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_MSGSPEC],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_last_page_has_records_and_no_iterator(read):
    assert read(200, {"Records": [RECORD]}).next_iterator is None


def test_a_number_of_thousands_of_digits_damages_no_page(read, form):
    if form == "boto3":
        pytest.skip("botocore itself refuses it")
    body = json.dumps(PAGE).replace("1700000000.0", "1" * 5_000).encode()
    assert [record["eventID"] for record in read(200, body).records] == ["1"]


def test_an_empty_page_is_a_page(read):
    assert read(200, {"Records": [], "NextShardIterator": "x"}) == RecordsPage([], "x", 41)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html>Service unavailable</html>",
        json.dumps(PAGE).encode()[:-20],
        b'{"Records": null}',
        b'{"Records": {}}',
        b"[]",
        b'"text"',
    ],
)
def test_a_success_that_is_no_page_is_a_failed_call(read, body):
    result = read(200, body)
    assert isinstance(result, CommandFailed)
    assert result.kind == "transient"


def test_a_page_that_was_cut_off_is_a_failed_call(read):
    text = json.dumps(PAGE).encode()
    result = read(200, text[:-20], content_length=str(len(text)))
    assert isinstance(result, CommandFailed)
    assert result.kind == "transient"


def test_a_page_that_was_damaged_on_the_way_is_a_failed_call(read):
    text = json.dumps(PAGE).encode()
    whole = str(zlib.crc32(text))
    assert isinstance(read(200, text, x_amz_crc32=whole), RecordsPage)
    damaged = text.replace(b"1.50", b"1.60")
    assert read(200, damaged, x_amz_crc32=whole) == CommandFailed("transient", "GarbledAnswer")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ExpiredIteratorException", "expired"),
        ("TrimmedDataAccessException", "trimmed"),
        ("ResourceNotFoundException", "gone"),
        ("AccessDeniedException", "denied"),
        ("ValidationException", "invalid"),
    ],
)
def test_botocore_still_names_the_errors(read, code, kind):
    body = {"__type": f"com.amazonaws.dynamodb.streams#{code}", "message": "no"}
    result = read(400, body)
    assert (result.kind, result.code) == (kind, code)
    assert isinstance(result.error, read.client.exceptions.ClientError)


def test_botocore_still_retries(read, server):
    server.answers[:] = []
    text = json.dumps(PAGE).encode()
    throttled = json.dumps({"__type": "x#ThrottlingException"}).encode()
    api = StreamsApi(read.client, "arn")
    server.answers[:] = [(400, throttled, {}), (200, text, {})]
    assert isinstance(api.make(api.get_records(GetRecords("shard", "iterator"))), RecordsPage)


def test_a_connection_that_breaks_is_transient():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        client = make_client(endpoint_url=url, region_name="us-east-1")
        api = StreamsApi(client, "arn")
        result = api.make(api.get_records(GetRecords("shard", "iterator")))
    assert result.kind == "transient"


def test_the_clients_limits_suit_a_poller(read):
    config = read.client.meta.config
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}
    assert (config.connect_timeout, config.read_timeout) == (5, 20)


def test_at_timestamp_is_known_where_the_sdk_has_it(read):
    shape = read.client.meta.service_model.operation_model("GetShardIterator").input_shape
    kinds = shape.members["ShardIteratorType"].enum
    assert knows_timestamps(read.client) is ("AT_TIMESTAMP" in kinds)
