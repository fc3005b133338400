"""Filter patterns: EventBridge's syntax, as Lambda's event source mappings evaluate it for streams.

Rules, from AWS Lambda's `event filtering`_, EventBridge's `operators`_ (the column for Pipes and
event source mappings), and recordings of a mapping:

* A pattern is a map of names to patterns, down to lists. Names are ANDed; the tests in a list, and
  the patterns under ``$or``, are ORed.
* A test sees a leaf: text, a number, true, false or null, or a list of them of which one is enough.
  To a test a map is no value: ``exists: true`` never holds above the type tag, and ``exists:
  false`` always.
* Values are in DynamoDB JSON, so a number is text: ``numeric`` never holds on ``N``. It does on
  ``ApproximateCreationDateTime``, which is a number when the filter sees it.
* ``eventSource``, ``eventSourceARN`` and ``awsRegion`` are not there yet when the filter looks.
* ``wildcard``, ``cidr`` and the nested forms of ``anything-but`` are for event buses alone.

.. _event filtering: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb-filtering.html
.. _operators: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ddbstream._values.json_values import Unread
from ddbstream.exceptions import RouteDefinitionError

if TYPE_CHECKING:
    from ddbstream._records import StreamRecord

__all__ = ["INVISIBLE", "Fields", "Leaf", "Pattern", "Test"]

#: What Lambda adds to a record only after filtering it.
INVISIBLE: Final = frozenset({"awsRegion", "eventSource", "eventSourceARN"})

# "-5.0e9 to +5.0e9 inclusive, with 15 digits of precision, or six digits to the right of the
# decimal point": the operators page, numeric matching.
_NUMERIC_LIMIT: Final = 5_000_000_000

_ABSENT: Final = object()
_IDENTITY: Final = {"type": "Type", "principalId": "PrincipalId"}

_COMPARE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "=": lambda a, b: a == b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


class Test(NamedTuple):
    """One alternative in a leaf's list.

    Attributes:
        operator: ``equals`` for a plain value, else the operator's name.
        operand: What it compares with.
        holds: Whether it holds for a value that is there.
    """

    operator: str
    operand: Any
    holds: Callable[[Any], bool]


class Leaf(NamedTuple):
    """A list of tests."""

    tests: tuple[Test, ...]

    def matches(self, value: object) -> bool:
        """Whether one of them holds."""
        scalars = list(_scalars(value))
        for test in self.tests:
            if test.operator == "exists":
                if test.operand == bool(scalars):
                    return True
            elif any(test.holds(scalar) for scalar in scalars):
                return True
        return False


def _member(value: Mapping[str, Any] | _View, name: str) -> Any:
    """A member of a map; of an image that is text, single attributes will be read."""
    if type(value) is not dict and isinstance(value, Unread):
        found = value.view(name)
        return found if found is not None or name in value else _ABSENT
    return value.get(name, _ABSENT)


class Fields(NamedTuple):
    """A map of names to patterns, and lists of alternatives (``$or``)."""

    fields: tuple[tuple[str, Fields | Leaf], ...]
    alternatives: tuple[tuple[Fields, ...], ...]

    def matches(self, value: object) -> bool:
        """Whether all of it holds."""
        if isinstance(value, (list, tuple)):
            return any(self.matches(member) for member in value)
        inside: Mapping[str, Any] | _View = value if isinstance(value, (Mapping, _View)) else {}
        return all(child.matches(_member(inside, name)) for name, child in self.fields) and all(
            any(one.matches(value) for one in ors) for ors in self.alternatives
        )

    def mismatch(self, value: object, path: str) -> str | None:
        """The path of the first part that does not hold; None if all of it does."""
        if isinstance(value, (list, tuple)):
            return None if self.matches(value) else path
        inside: Mapping[str, Any] | _View = value if isinstance(value, (Mapping, _View)) else {}
        for name, child in self.fields:
            where, found = f"{path}.{name}" if path else name, _member(inside, name)
            if isinstance(child, Fields):
                part = child.mismatch(found, where)
            else:
                part = None if child.matches(found) else where
            if part is not None:
                return part
        if all(any(one.matches(value) for one in ors) for ors in self.alternatives):
            return None
        return f"{path}.$or" if path else "$or"


class Pattern:
    """A parsed filter pattern.

    Args:
        source: A mapping, or its JSON text.

    Attributes:
        source: The mapping.
        root: The parsed form.

    Raises:
        RouteDefinitionError: Lambda would refuse it ("Invalid filter pattern definition"); ``path``
            says where.
    """

    __slots__ = ("root", "source")

    def __init__(self, source: object) -> None:
        if isinstance(source, str):
            # Only a pattern in text needs it.
            from json import loads

            try:
                source = loads(source)
            except ValueError:
                raise RouteDefinitionError("a filter pattern's text has to be JSON") from None
        if not isinstance(source, Mapping):
            raise RouteDefinitionError("a filter pattern is a mapping, or the JSON text of one")
        self.source = source
        self.root = _fields(source, "")

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a wire record matches, in any spelling: boto3's is read as Lambda's."""
        return self.root.matches(_View(record))

    def mismatch_of(self, record: StreamRecord[Any]) -> str | None:
        """The first part of the pattern that a record fails; None if it matches."""
        return self.root.mismatch(_View(record._entry, frozenset()), "")

    def matches_record(self, record: StreamRecord[Any]) -> bool:
        """Whether a record as it arrived matches, with what Lambda may add after filtering."""
        return self.root.matches(_View(record._entry, frozenset()))

    def __repr__(self) -> str:
        return f"Pattern({self.source!r})"


class _View:
    """A record's top level as the filter sees it: as much of a mapping as a pattern asks for."""

    __slots__ = ("_hidden", "_record")

    def __init__(self, record: Mapping[str, Any], hidden: frozenset[str] = INVISIBLE) -> None:
        self._record = record
        self._hidden = hidden

    def get(self, name: str, default: Any = None) -> Any:
        value = default if name in self._hidden else self._record.get(name, default)
        if name == "userIdentity" and isinstance(value, Mapping):
            return {key: value.get(key, value.get(other)) for key, other in _IDENTITY.items()}
        return value


def _scalars(value: object) -> Iterator[Any]:
    """The leaf values at a place, as JSON has them; none if it is absent or holds a map."""
    if isinstance(value, (list, tuple, set, frozenset)):
        for member in value:
            yield from _scalars(member)
    elif isinstance(value, (bytes, bytearray)):
        yield b2a_base64(value, newline=False).decode("ascii")
    elif isinstance(value, datetime):
        yield value.timestamp()
    elif value is not _ABSENT and not isinstance(value, Mapping):
        yield value


def _fields(source: Mapping[Any, Any], path: str) -> Fields:
    if not source:
        raise _refused("an empty map is no pattern", path)
    fields: list[tuple[str, Fields | Leaf]] = []
    alternatives: list[tuple[Fields, ...]] = []
    for name, inner in source.items():
        if not isinstance(name, str):
            raise _refused("names are text", path)
        where = f"{path}.{name}" if path else name
        if name == "$or":
            alternatives.append(_alternatives(inner, where))
        elif isinstance(inner, Mapping):
            fields.append((name, _fields(inner, where)))
        elif isinstance(inner, (list, tuple)):
            fields.append((name, _leaf(inner, where)))
        else:
            raise _refused("a value stands in a list: ['INSERT']", where)
    return Fields(tuple(fields), tuple(alternatives))


def _alternatives(source: object, path: str) -> tuple[Fields, ...]:
    if not isinstance(source, (list, tuple)) or len(source) < 2:
        raise _refused("$or takes a list of at least two patterns", path)
    made = []
    for index, one in enumerate(source):
        if not isinstance(one, Mapping):
            raise _refused("$or takes patterns", f"{path}[{index}]")
        made.append(_fields(one, f"{path}[{index}]"))
    return tuple(made)


def _leaf(source: Sequence[Any], path: str) -> Leaf:
    if not source:
        raise _refused("an empty list never matches", path)
    return Leaf(tuple(_test(one, f"{path}[{i}]") for i, one in enumerate(source)))


def _test(source: object, path: str) -> Test:
    if _is_scalar(source):
        return Test("equals", source, lambda value: _same(value, source))
    if not isinstance(source, Mapping) or len(source) != 1:
        raise _refused("a test is a value, or a map of one operator", path)
    ((operator, operand),) = source.items()
    make = _OPERATORS.get(operator)
    if make is None:
        raise _refused(f"{operator!r} is no operator of event source mappings", path)
    return Test(operator, operand, make(operand, path))


def _text_test(
    compare: Callable[[str, str], bool],
) -> Callable[[Any, str], Callable[[Any], bool]]:
    def make(operand: Any, path: str) -> Callable[[Any], bool]:
        if not isinstance(operand, str) or not operand:
            raise _refused("the operator takes text", path)
        return lambda value: isinstance(value, str) and compare(value, operand)

    return make


def _anything_but(operand: Any, path: str) -> Callable[[Any], bool]:
    excluded = operand if isinstance(operand, (list, tuple)) else [operand]
    kinds = {str if isinstance(one, str) else float for one in excluded}
    if len(kinds) != 1 or not all(_is_scalar(one) and one is not None for one in excluded):
        raise _refused("anything-but takes text or a number, or a list of either", path)
    return lambda value: not any(_same(value, one) for one in excluded)


def _exists(operand: Any, path: str) -> Callable[[Any], bool]:
    if not isinstance(operand, bool):
        raise _refused("exists takes true or false", path)
    return lambda _: operand


def _numeric(operand: Any, path: str) -> Callable[[Any], bool]:
    if not isinstance(operand, (list, tuple)) or len(operand) not in (2, 4):
        raise _refused("numeric takes one or two comparisons: ['>', 0, '<=', 5]", path)
    comparisons = list(zip(operand[::2], operand[1::2], strict=True))
    for sign, bound in comparisons:
        if not isinstance(sign, str) or sign not in _COMPARE or not _is_number(bound):
            raise _refused("numeric takes =, <, <=, > or >=, each with a number", path)
        if abs(bound) > _NUMERIC_LIMIT:
            raise _refused("numeric takes numbers from -5.0e9 to 5.0e9", path)
    if len(comparisons) == 2 and not _is_range(*(sign for sign, _ in comparisons)):
        raise _refused("numeric takes a lower bound and then an upper one", path)
    return lambda value: (
        _is_number(value)
        and abs(value) <= _NUMERIC_LIMIT
        and all(_COMPARE[sign](value, bound) for sign, bound in comparisons)
    )


def _is_range(first: str, second: str) -> bool:
    return first[0] == ">" and second[0] == "<"


_OPERATORS: Final[Mapping[Any, Callable[[Any, str], Callable[[Any], bool]]]] = {
    "prefix": _text_test(str.startswith),
    "suffix": _text_test(str.endswith),
    "equals-ignore-case": _text_test(lambda a, b: a.casefold() == b.casefold()),
    "anything-but": _anything_but,
    "exists": _exists,
    "numeric": _numeric,
}


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


def _same(a: object, b: object) -> bool:
    """Equality as JSON has it: true is no number, and a number is no text."""
    return isinstance(a, bool) == isinstance(b, bool) and a == b


def _refused(problem: str, path: str) -> RouteDefinitionError:
    return RouteDefinitionError(f"invalid filter pattern: {problem}", path=path or None)
