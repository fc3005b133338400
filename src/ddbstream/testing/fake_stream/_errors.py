"""Errors as boto3 raises them, with or without boto3."""

from __future__ import annotations

from typing import Any

__all__ = ["Exceptions", "client_error", "connection_error", "parameter_error"]

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


class FakeParamValidationError(Exception):
    """Stands in for ``botocore.exceptions.ParamValidationError``."""

    def __init__(self, *, report: str) -> None:
        super().__init__(f"Parameter validation failed:\n{report}")


def _botocore() -> Any:
    """The errors of botocore; None without botocore."""
    try:  # boto3 is an extra
        from botocore import exceptions
    except ImportError:
        return None
    return exceptions


def _base() -> Any:
    botocore = _botocore()
    return FakeClientError if botocore is None else botocore.ClientError


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


def parameter_error(report: str) -> Exception:
    """What botocore raises for parameters that it does not even send."""
    botocore = _botocore()
    make: Any = FakeParamValidationError if botocore is None else botocore.ParamValidationError
    error: Exception = make(report=report)
    return error


def connection_error() -> Exception:
    """A connection that broke: botocore's own class if it is there."""
    botocore = _botocore()
    if botocore is None:
        return ConnectionResetError("connection was closed")
    error: Exception = botocore.ConnectionClosedError(endpoint_url="https://streams.dynamodb.fake")
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
