"""`GetRecords` without botocore's parse of the records, which is 93-97 % of the call's CPU.

Theory of operation

botocore walks every attribute value of a page through its model. A handler of its ``before-parse``
event (botocore 1.35.16 and newer) takes ``Records`` out of the body and leaves botocore the rest,
so errors, retries, signing and metadata stay botocore's. The records stay text until they are read
(`ddbstream._wire.unread`); without msgspec, and where a page holds something unusual, `json.loads`
reads them at once. They have the form of the wire: binary as base64 text and times as numbers,
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
from collections.abc import Callable
from typing import Any

from ddbstream._wire.pages import Page
from ddbstream._wire.text import loads

_read_answer: Callable[[bytes], tuple[Page, bytes]] | None
try:
    from ddbstream._wire.unread import unread_answer as _read_answer
except ImportError:  # msgspec makes it faster, and nothing needs it
    _read_answer = None

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
    body, headers = response_dict.get("body"), response_dict.get("headers", {})
    if _read_answer is not None and isinstance(body, bytes) and _undamaged(body, headers):
        try:
            records, response_dict["body"] = _read_answer(body)
        except ValueError:
            pass  # `json` takes more, and below decides whether this is a page at all
        else:
            customized_response_dict["Records"] = records
            return
    page = _page(body, headers)
    if page is None:
        response_dict["body"] = b"{}"
        return
    customized_response_dict["Records"] = WireRecords(page.pop("Records"))
    response_dict["body"] = json.dumps(page).encode()


def check_records(http_response: Any, parsed: dict[str, Any], **_: Any) -> None:
    """Take the records away from an answer that is no whole page, if botocore has parsed it."""
    if http_response.status_code != 200 or isinstance(parsed.get("Records"), (WireRecords, Page)):
        return
    if "Records" in parsed and _page(http_response.content, http_response.headers) is None:
        del parsed["Records"]


def _page(body: object, headers: Any) -> dict[str, Any] | None:
    """The page that a body holds; None if it is damaged, or is something else."""
    if not isinstance(body, bytes) or not _undamaged(body, headers):
        return None
    try:
        answer = loads(body)  # `json.loads` refuses a number of thousands of digits
    except (ValueError, RecursionError):
        return None
    whole = isinstance(answer, dict) and isinstance(answer.get("Records"), list)
    return answer if whole else None


def _undamaged(body: bytes, headers: Any) -> bool:
    expected = str(headers.get("x-amz-crc32"))
    if expected.isdecimal():
        return len(expected) < 20 and zlib.crc32(body) == int(expected)
    return True
