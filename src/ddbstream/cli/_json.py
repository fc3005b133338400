"""Any value that a model can hold, as JSON; numbers to the last digit.

The standard library's encoder refuses ``Decimal`` and has no way to write one as a number. Each
finite ``Decimal`` prints as a JSON number (RFC 8259, section 6), so this one writes its text.
"""

from __future__ import annotations

import binascii
import dataclasses
import json
import math
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any

__all__ = ["dumps"]


def dumps(value: object, *, indented: bool = False) -> str:
    """ASCII JSON, in one line unless it is to be indented.

    Models become objects by field name, sets lists, bytes base64 text, dates ISO 8601, and what
    JSON has no word for (UUID, timedelta, ...) its ``str``.
    """
    return _write(_as_json(value), "\n  " if indented else None)


def _as_json(value: object) -> Any:
    """The value as ``None``, bool, int, float, ``Decimal``, str, list and dict."""
    match value:
        case Enum():
            return _as_json(value.value)
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return value if value.is_finite() else str(value)
        case bytes() | bytearray() | memoryview():
            return binascii.b2a_base64(value, newline=False).decode("ascii")
        case date() | time():
            return value.isoformat()
        case Mapping():
            return {str(_as_json(key)): _as_json(each) for key, each in value.items()}
        case AbstractSet():
            return _sorted([_as_json(each) for each in value])
        case list() | tuple():
            return [_as_json(each) for each in value]
        case _:
            fields = _fields(value)
    return str(value) if fields is None else {n: _as_json(getattr(value, n)) for n in fields}


def _sorted(values: list[Any]) -> list[Any]:
    """A set has no order; a stable one makes lines comparable."""
    try:
        return sorted(values)
    except TypeError:  # members of several types, or of one without an order
        return sorted(values, key=_write)


def _fields(value: object) -> list[str] | None:
    """The field names of a model object, of whatever library; ``None`` for anything else."""
    if dataclasses.is_dataclass(value):
        return [field.name for field in dataclasses.fields(value)]
    cls = type(value)
    for attribute in ("model_fields", "__struct_fields__"):  # pydantic, msgspec
        names = getattr(cls, attribute, None)
        if names is not None:
            return list(names)
    attributes = getattr(cls, "__attrs_attrs__", None)
    return None if attributes is None else [attribute.name for attribute in attributes]


def _write(value: Any, margin: str | None = None) -> str:
    """The value as JSON; ``margin`` is a new line and the indentation of its members."""
    match value:
        case Decimal():
            return str(value)
        case dict():
            deeper = _deeper(margin)
            members = [f"{json.dumps(name)}: {_write(one, deeper)}" for name, one in value.items()]
            return _enclosed("{}", members, margin)
        case list():
            return _enclosed("[]", [_write(one, _deeper(margin)) for one in value], margin)
        case float() if not math.isfinite(value):
            return json.dumps(str(value))
        case _:
            return json.dumps(value)


def _deeper(margin: str | None) -> str | None:
    return None if margin is None else f"{margin}  "


def _enclosed(brackets: str, members: list[str], margin: str | None) -> str:
    opening, closing = brackets[0], brackets[1]
    if margin is None or not members:
        return f"{opening}{', '.join(members)}{closing}"
    return f"{opening}{margin}{f',{margin}'.join(members)}{margin[:-2]}{closing}"
