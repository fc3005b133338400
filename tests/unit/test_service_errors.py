"""An error that is no answer of the service comes through as itself: botocore has such, too."""

from __future__ import annotations

from types import MappingProxyType, SimpleNamespace
from typing import Any

import pytest
from botocore import exceptions as botocore

from ddbstream import StreamRouter
from ddbstream._values.service_errors import code_of
from ddbstream.exceptions import CheckpointError
from ddbstream.export import backfill
from ddbstream.export._storage import place_of
from ddbstream.poller import After, AtStart, DynamoDBCheckpoints, StreamPoller
from ddbstream.poller._core.positions import Start
from ddbstream.poller._stores.contract import Lease
from ddbstream.testing import FakeStream

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/now"
LEASE = Lease(ARN, "one", 1, 60)


class OfAnotherLibrary(Exception):
    """As httpx and requests have them: with an object for a response."""

    response: Any = SimpleNamespace(status_code=503)


class Odd(Exception):
    response: Any = MappingProxyType({"Error": "boom"})


BROKEN = [
    botocore.ReadTimeoutError(endpoint_url="https://x", error="slow"),
    botocore.ConnectionClosedError(endpoint_url="https://x"),
    botocore.HTTPClientError(error="odd"),
    botocore.EndpointConnectionError(endpoint_url="https://x"),
    OfAnotherLibrary(),
    Odd(),
]
CALLS: Any = {
    "acquire": lambda store: store.acquire(ARN, "one", ttl=60),
    "streams_of": lambda store: store.streams_of("arn"),
    "load": lambda store: store.load(LEASE),
    "fix_start": lambda store: store.fix_start(LEASE, Start(AtStart(), 1.0)),
    "save": lambda store: store.save(LEASE, "shard", After("1")),
    "renew": lambda store: store.renew(LEASE, 1.0),
    "forget": lambda store: store.forget(LEASE, ["shard"]),
    "release": lambda store: store.release(LEASE),
    "reset": lambda store: store.reset(ARN),
    "create_table": lambda store: store.create_table(),
}
by_name = pytest.mark.parametrize("error", BROKEN, ids=lambda error: type(error).__name__)


class Failing:
    """A client of which every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getattr__(self, name: str) -> Any:
        def call(**_: Any) -> Any:
            raise self._error

        return call


@by_name
@pytest.mark.parametrize("call", CALLS)
def test_out_of_a_checkpoint_table(call: str, error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        CALLS[call](DynamoDBCheckpoints("positions", client=Failing(error)))
    assert raised.value is error


@by_name
def test_out_of_a_poller_that_cannot_begin(error: Exception) -> None:
    store = DynamoDBCheckpoints("positions", client=Failing(error))
    poller = StreamPoller("T", StreamRouter(), checkpoints=store, client=FakeStream("T"))
    poller._router.on_change()(lambda record: None)  # type: ignore[union-attr]
    with pytest.raises(CheckpointError, match=type(error).__name__):
        poller.run()


@by_name
def test_out_of_a_backfill_and_a_file_in_s3(error: Exception) -> None:
    router = StreamRouter()
    router.on_change()(lambda record: None)
    client = Failing(error)
    with pytest.raises(type(error)):
        backfill("T", router, client=client)
    place = place_of("s3://bucket/export/data/one.json.gz", client)
    with pytest.raises(type(error)), place.open():
        pass


@by_name
def test_it_has_no_code(error: Exception) -> None:
    assert code_of(error) is None
