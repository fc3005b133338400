"""When two Python values are the same DynamoDB value, and a hash that agrees.

Numbers compare as numbers (``1 == 1.0 == Decimal("1.00")``), and nothing else is a number: not
``True``, not ``"1"``. A float is the number that it is stored as, the shortest that reads back as
that float: ``0.1`` is ``Decimal("0.1")``. A list and a tuple are one kind, as are a set and a
frozenset, and no kind equals another. NaN, which DynamoDB cannot store, equals itself here: a value
that did not change is no change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from decimal import Decimal
from typing import Any, Final

from ddbstream._values.tags import SET_TAGS

__all__ = [
    "ABSENT",
    "Absent",
    "are_sets",
    "canonical",
    "dynamodb_type",
    "is_set",
    "same",
    "same_type",
    "without",
]


class Absent:
    """The type of `ABSENT`."""

    __slots__ = ()


ABSENT: Final = Absent()
"""Where an item has nothing. NULL is something: ``None``."""

_KINDS: Final[dict[type, str]] = {
    str: "S",
    int: "N",
    Decimal: "N",
    float: "N",
    bool: "BOOL",
    type(None): "NULL",
    dict: "M",
    list: "L",
    tuple: "L",
    bytes: "B",
    bytearray: "B",
    memoryview: "B",
}


def dynamodb_type(value: object) -> str:
    """The DynamoDB type tag of a Python value; ``""`` for a value of no such type.

    A set is ``SS``, ``NS`` or ``BS`` by its members, ``"set"`` where it has none or they differ.
    """
    kind = _KINDS.get(value.__class__)
    if kind is not None:
        return kind
    if isinstance(value, (set, frozenset, AbstractSet)):
        kinds = {dynamodb_type(member) for member in value}
        return f"{kinds.pop()}S" if len(kinds) == 1 else "set"
    for base, name in (
        (bool, "BOOL"),
        (str, "S"),
        ((int, float, Decimal), "N"),
        ((bytes, bytearray, memoryview), "B"),
        (Mapping, "M"),
        (Sequence, "L"),
    ):
        if isinstance(value, base):
            return name
    return ""


_SETS: Final = SET_TAGS | {"set"}


def same_type(a: str, b: str) -> bool:
    """Whether two tags of `dynamodb_type` can be of one type: an empty set is of any set type."""
    return a == b or ("set" in (a, b) and a in _SETS and b in _SETS)


def same(a: Any, b: Any) -> bool:
    """Whether two Python values are the same DynamoDB value."""
    if a is b:
        return True
    kind = dynamodb_type(a)
    if not same_type(kind, dynamodb_type(b)):
        return False
    if kind == "N":
        return _same_number(a, b)
    if kind == "M":
        return len(a) == len(b) and all(
            name in b and same(value, b[name]) for name, value in a.items()
        )
    if kind == "L":
        return len(a) == len(b) and all(map(same, a, b))
    if kind in _SETS:
        return bool(canonical(a) == canonical(b))
    return bool(a == b)


def _same_number(a: Any, b: Any) -> bool:
    if isinstance(a, float) is not isinstance(b, float):
        a, b = _exact(a), _exact(b)
    try:
        return bool(a == b) or (_is_nan(a) and _is_nan(b))
    except ArithmeticError:  # a signalling NaN refuses to be compared
        return _is_nan(a) and _is_nan(b)


def _is_nan(number: Any) -> bool:
    # A signalling NaN cannot even be compared; any other is what does not equal itself.
    return number.is_nan() if isinstance(number, Decimal) else bool(number != number)  # noqa: PLR0124


def _exact(number: Any) -> Any:
    """The number as it is stored: a float by its shortest decimal text."""
    return Decimal(float.__repr__(number)) if isinstance(number, float) else number


def canonical(value: Any) -> Any:
    """A hashable value, equal for the same DynamoDB values and for no others.

    A value of no DynamoDB type stands for itself where it can be hashed, for its type where not.
    """
    kind = dynamodb_type(value)
    if kind == "N":
        return ("NaN",) if _is_nan(value) else _exact(value)
    if kind == "M":
        return "M", frozenset((name, canonical(inner)) for name, inner in value.items())
    if kind == "L":
        return "L", tuple(map(canonical, value))
    if kind in _SETS:
        return "set", frozenset(map(canonical, value))
    if kind == "B":
        return bytes(value)
    if kind in ("S", "BOOL", "NULL"):
        return kind, value
    try:
        hash(value)
    except TypeError:
        return "other", type(value).__qualname__
    return value


def is_set(value: object) -> bool:
    """Whether a Python value is a set."""
    return value.__class__ in (set, frozenset) or isinstance(value, AbstractSet)


def are_sets(a: object, b: object) -> bool:
    """Whether two Python values are sets of one type."""
    return is_set(a) and is_set(b) and same_type(dynamodb_type(a), dynamodb_type(b))


# Members of these types are one value if they are equal.
_PLAIN: Final = frozenset({str, bytes, int})


def without(members: AbstractSet[Any], others: AbstractSet[Any]) -> frozenset[Any]:
    """The members that are no member of the other set, as values."""
    if {*map(type, members), *map(type, others)} <= _PLAIN:
        return frozenset(members) - frozenset(others)
    known = set(map(canonical, others))
    return frozenset([member for member in members if canonical(member) not in known])
