"""What both functions of the API share: the body of a request, its fields, and the answer.

API Gateway calls them as a REST API (payload 1.0) or an HTTP API (payload 2.0). The table's name
comes from the environment variable ``TABLE_NAME``.
"""

from __future__ import annotations

import binascii
import json
from decimal import Decimal
from functools import cache
from typing import Any, NoReturn

import boto3

LONGEST_TEXT = 1_000  # characters; an item, with its names and both keys, may have 400 KB


class BadRequest(Exception):
    """The caller's mistake; its text is what the caller gets to read."""


@cache
def dynamodb() -> Any:
    """The client, made at the first request and kept by the execution environment."""
    return boto3.client("dynamodb")


def price(body: dict[str, Any]) -> Decimal:
    """The price: a JSON number, exactly as it was written."""
    value = body.get("price")
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        raise BadRequest("price must be a number")
    if value < 0:
        raise BadRequest("price must not be negative")
    return Decimal(value)


def text(body: dict[str, Any], field: str) -> str:
    """A field that must be text with something in it."""
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise BadRequest(f"{field} must be text and not empty")
    if len(value) > LONGEST_TEXT:
        raise BadRequest(f"{field} must not be longer than {LONGEST_TEXT} characters")
    if any("\ud800" <= letter <= "\udfff" for letter in value):
        raise BadRequest(f"{field} must be valid Unicode")  # JSON can spell half a character
    return value


def json_body(event: dict[str, Any]) -> dict[str, Any]:
    """The body as JSON, its fractions as ``Decimal``: a price that was a float is a wrong price."""
    try:
        raw: Any = event.get("body") or ""
        if event.get("isBase64Encoded"):
            raw = binascii.a2b_base64(raw)
        body = json.loads(raw, parse_float=Decimal, parse_constant=no_such_number)
    except (ValueError, ArithmeticError, RecursionError):
        raise BadRequest("the body must be JSON") from None
    if not isinstance(body, dict):
        raise BadRequest("the body must be a JSON object")
    return body


def no_such_number(name: str) -> NoReturn:
    """``NaN`` and ``Infinity``, which Python reads but JSON does not have."""
    raise ValueError(name)


def response(status: int, body: dict[str, str], **headers: str) -> dict[str, Any]:
    """A proxy response that both kinds of API accept."""
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json", **headers},
        "body": json.dumps(body),
    }
