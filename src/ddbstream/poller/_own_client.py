"""A boto3 client of the poller's own: its limits, and how it reads an answer's body.

botocore joins a body from pieces of 64 KB. For a page of 3 MB that takes as long as msgspec takes
to read it: most of it goes into memory that is asked for piece by piece and given back. Here the
body is read in one piece. What can go wrong on the way has botocore's names, for its retries.

Loaded only where a client has to be made: who brings their own needs no boto3.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import (
    ConnectionClosedError,
    HTTPClientError,
    NoRegionError,
    ReadTimeoutError,
    SSLError,
)
from urllib3 import HTTPResponse
from urllib3 import exceptions as urllib3_errors

__all__ = ["NoRegionError", "own_client"]

_LARGEST: Final = 1 << 24  # what says that it is more need not be believed
_PIECE: Final = 1 << 16


def own_client(
    service: str, *, endpoint_url: str | None, region_name: str | None, connections: int
) -> Any:
    """A client with limits that suit a poller.

    boto3's own defaults (60 s and 60 s, five attempts) can outlast an iterator.

    Raises:
        NoRegionError: Nothing tells the region.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 3},
        connect_timeout=5,
        read_timeout=20,
        max_pool_connections=max(10, connections),
    )
    session: Any = boto3.Session()
    client = session.client(
        service, endpoint_url=endpoint_url, region_name=region_name, config=config
    )
    # No event of botocore's comes between the headers and the body. Where it keeps its session
    # elsewhere one day, bodies are joined from pieces again.
    with suppress(AttributeError):
        endpoint = client._endpoint
        endpoint.http_session = _WholeBodies(endpoint.http_session)
    return client


class _WholeBodies:
    """A botocore session that reads each body in one piece."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def send(self, request: Any) -> AWSResponse:
        request.stream_output = True  # which leaves the body to us
        response = self._session.send(request)
        try:
            return _read(response)
        except urllib3_errors.SSLError as error:
            raise SSLError(endpoint_url=request.url, error=error) from error
        except urllib3_errors.ReadTimeoutError as error:
            raise ReadTimeoutError(endpoint_url=request.url, error=error) from error
        except urllib3_errors.ProtocolError as error:
            raise ConnectionClosedError(
                endpoint_url=request.url, error=error, request=request
            ) from error
        except Exception as error:
            raise HTTPClientError(error=error) from error


def _read(response: Any) -> AWSResponse:
    whole: AWSResponse = response
    if isinstance(response.raw, HTTPResponse):
        said = str(response.headers.get("content-length"))
        length = int(said) if said.isdecimal() and len(said) < 10 else 0
        pieces = response.raw.stream(length if 0 < length <= _LARGEST else _PIECE)
        whole = AWSResponse(response.url, response.status_code, response.headers, _Body(pieces))
    whole.content  # noqa: B018 - reads it, as botocore does where nobody streams
    return whole


class _Body:
    """What an answer's ``content`` joins."""

    def __init__(self, pieces: Any) -> None:
        self._pieces = pieces

    def stream(self) -> Any:
        return self._pieces
