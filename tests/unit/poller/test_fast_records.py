"""The poller's own client takes records as they come over the wire, and botocore keeps the rest.

What holds of a page holds of all forms: botocore before 1.35.16 has no event to take the records
at, and gives them in boto3's; without msgspec, ``json`` reads the page.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import subprocess
import sys
import threading
import zlib
from datetime import datetime, timezone
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

import botocore
import botocore.exceptions
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.httpsession import URLLib3Session
from urllib3 import HTTPResponse

from ddbstream import parse
from ddbstream._wire.pages import Page
from ddbstream.poller import _fast_records, _own_client
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


class Wire(io.BytesIO):
    """A body on its way: how much is read at once, and what goes wrong behind its bytes."""

    def __init__(self, body, error=None):
        super().__init__(body)
        self.asked = []
        self.error = error

    def read(self, amount=-1):
        self.asked.append(amount)
        found = super().read(amount)
        if not found and self.error is not None:
            raise self.error
        if not found:
            self.close()
        return found


def sent(client, wire, **headers):
    """What a client's session gives for an answer with that body."""
    session = client._endpoint.http_session
    raw = HTTPResponse(wire, preload_content=False, decode_content=False)
    answer = AWSResponse("http://localhost", 200, headers, raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session._session, "send", lambda request: answer)
        return session.send(AWSRequest("POST", "http://localhost").prepare())


def test_a_body_is_read_in_one_piece(read):
    body = bytes(300_000)
    wire = Wire(body)
    found = sent(read.client, wire, **{"content-length": str(len(body))})
    assert found.content == body
    assert found.content is found.content
    assert wire.asked[0] == len(body)


@pytest.mark.parametrize("length", [None, "x", "-1", "0", "9" * 9, "9" * 30, "100", "900000"])
def test_a_length_that_is_wrong_is_not_believed(read, length):
    body = bytes(range(256)) * 1000
    wire = Wire(body)
    headers = {} if length is None else {"content-length": length}
    assert sent(read.client, wire, **headers).content == body
    assert max(wire.asked) < 1_000_000


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (TimeoutError(), "ReadTimeoutError"),
        (ConnectionResetError(), "ConnectionClosedError"),
        (ssl.SSLError("bad record"), "SSLError"),
        (ValueError(), "HTTPClientError"),
    ],
)
def test_a_body_that_breaks_off_is_the_error_that_botocore_makes_of_it(read, error, name):
    with pytest.raises(botocore.exceptions.BotoCoreError) as caught:
        sent(read.client, Wire(b"{", error), **{"content-length": "10"})
    assert type(caught.value).__name__ == name


@pytest.mark.parametrize(
    "error", [TimeoutError(), ConnectionResetError(), ssl.SSLError("bad record"), ValueError()]
)
def test_botocores_own_session_makes_the_same_error(server, error):
    plain = URLLib3Session()
    names = []
    for session in (plain, _own_client._WholeBodies(plain)):
        raw = HTTPResponse(Wire(b"{", error), preload_content=False, decode_content=False)
        request = AWSRequest("POST", f"http://127.0.0.1:{server.server_port}").prepare()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("urllib3.HTTPConnectionPool.urlopen", lambda *_, raw=raw, **__: raw)
            with pytest.raises(botocore.exceptions.BotoCoreError) as caught:
                session.send(request)
        names.append(type(caught.value).__name__)
    assert names[0] == names[1]


def test_what_a_stand_in_gives_for_an_answer_is_left_to_botocore(read):
    class Body:
        def stream(self):
            yield b"{}"

    answer = AWSResponse("http://localhost", 200, {}, Body())
    session = read.client._endpoint.http_session
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session._session, "send", lambda request: answer)
        assert session.send(AWSRequest("POST", "http://localhost").prepare()).content == b"{}"
