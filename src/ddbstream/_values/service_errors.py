"""AWS's own word for what went wrong, as boto3's errors and those of what is like it carry it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["answer_of", "code_of"]


def answer_of(error: BaseException) -> Mapping[str, Any]:
    """What the service has answered; empty if it has not.

    botocore's errors of a broken connection have a ``response`` too, which is None, and other
    libraries' have one that is no mapping.
    """
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, Mapping) else {}


def code_of(error: BaseException) -> str | None:
    """The code of the service's error; None if it is none of the service's."""
    described = answer_of(error).get("Error")
    code = described.get("Code") if isinstance(described, Mapping) else None
    return str(code) if code else None
