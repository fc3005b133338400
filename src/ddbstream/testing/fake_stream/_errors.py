"""Errors as boto3 raises them, with or without boto3."""

from __future__ import annotations

from typing import Any

__all__ = ["Exceptions", "client_error", "connection_error"]

_classes: dict[tuple[str, bool], type[Exception]] = {}


class FakeClientError(Exception):
    """Stands in for ``botocore.exceptions.ClientError`` where botocore is not installed."""

    def __init__(self, response: dict[str, Any], operation_name: str) -> None:
        error = response["Error"]
        super().__init__(
            f"An error occurred ({error['Code']}) when calling the {operation_name} operation: "
            f"{error['Message']}"
        )
        self.response = response
        self.operation_name = operation_name


def _base() -> Any:
    try:  # boto3 is an extra
        from botocore.exceptions import ClientError
    except ImportError:
        return FakeClientError
    return ClientError


def _class(code: str) -> type[Exception]:
    base = _base()
    key = (code, base is FakeClientError)
    if key not in _classes:
        _classes[key] = type(code, (base,), {})
    return _classes[key]


def client_error(code: str, operation: str, message: str = "") -> Exception:
    """The error that boto3 raises for an AWS error code."""
    response = {
        "Error": {"Code": code, "Message": message or code},
        "ResponseMetadata": {"HTTPStatusCode": 500 if code == "InternalServerError" else 400},
    }
    make: Any = _class(code)
    error: Exception = make(response, operation)
    return error


def connection_error() -> Exception:
    """A connection that broke: botocore's own class if it is there."""
    try:  # boto3 is an extra
        from botocore.exceptions import ConnectionClosedError
    except ImportError:
        return ConnectionResetError("connection was closed")
    make: Any = ConnectionClosedError
    error: Exception = make(endpoint_url="https://streams.dynamodb.fake")
    return error


class Exceptions:
    """What a boto3 client has as ``client.exceptions``."""

    def __getattr__(self, name: str) -> type[Exception]:
        if name == "ClientError":
            base: type[Exception] = _base()
            return base
        if name.endswith(("Exception", "Error")):
            return _class(name)
        raise AttributeError(name)
