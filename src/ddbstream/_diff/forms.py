"""The two forms an item comes in, and how each is opened, compared and rebuilt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from ddbstream._diff.compare import decoded
from ddbstream._diff.values import ABSENT, are_sets, dynamodb_type, same, without
from ddbstream._values.paths import Parts
from ddbstream._values.tags import SET_TAGS

__all__ = ["PYTHON", "WIRE", "Form", "copied", "within"]

Inner = Mapping[str, Any] | Sequence[Any] | None


class Form(Protocol):
    """A form of items. Each method takes the path of its values, for errors to name it."""

    name: str

    def inner(self, value: Any) -> Inner:
        """The mapping in a map or the sequence in a list; ``None`` in anything else."""
        ...

    def rebuilt(self, inner: Any) -> Any:
        """A map of that mapping, a list of that sequence."""
        ...

    def same(self, a: Any, b: Any, path: Parts) -> bool:
        """Whether two values are the same DynamoDB value."""
        ...

    def are_sets(self, a: Any, b: Any) -> bool:
        """Whether both are sets of one type."""
        ...

    def read(self, value: Any, path: Parts) -> Any:
        """The Python value."""
        ...

    def changed_set(self, value: Any, lost: Any, gains: Any, path: Parts) -> Any:
        """The set without the members ``lost``, and with those that the set ``gains`` has more."""
        ...


class _Wire:
    name = "wire"

    def inner(self, value: Any) -> Inner:
        if isinstance(value, Mapping) and len(value) == 1:
            found = value.get("M")
            if isinstance(found, Mapping):
                return found
            found = value.get("L")
            if isinstance(found, (list, tuple)):
                return found
        return None

    def rebuilt(self, inner: Any) -> Any:
        return {"M" if isinstance(inner, Mapping) else "L": inner}

    def same(self, a: Any, b: Any, path: Parts) -> bool:
        return bool(a == b) or same(decoded(a, path), decoded(b, path))

    def are_sets(self, a: Any, b: Any) -> bool:
        if not (isinstance(a, Mapping) and isinstance(b, Mapping)):
            return False
        return a.keys() == b.keys() and len(a) == 1 and next(iter(a)) in SET_TAGS

    def read(self, value: Any, path: Parts) -> Any:
        return decoded(value, path)

    def changed_set(self, value: Any, lost: Any, gains: Any, path: Parts) -> Any:
        # Members keep the spelling they have, and so the form (boto3's or JSON's) of their set.
        ((tag, members),) = value.items()
        has = decoded(value, path)
        kept = [member for member in members if not decoded({tag: [member]}, path) <= lost]
        more = [member for member in gains[tag] if not decoded({tag: [member]}, path) <= has]
        return {tag: kept + more}


class _Python:
    name = "python"

    def inner(self, value: Any) -> Inner:
        return value if dynamodb_type(value) in ("M", "L") else None

    def rebuilt(self, inner: Any) -> Any:
        return inner

    def same(self, a: Any, b: Any, path: Parts) -> bool:
        return same(a, b)

    def are_sets(self, a: Any, b: Any) -> bool:
        return are_sets(a, b)

    def read(self, value: Any, path: Parts) -> Any:
        return value

    def changed_set(self, value: Any, lost: Any, gains: Any, path: Parts) -> Any:
        members = without(value, lost) | without(gains, value)
        return members if isinstance(value, frozenset) else set(members)


WIRE: Final[Form] = _Wire()
PYTHON: Final[Form] = _Python()


def within(form: Form, value: Any, parts: Parts) -> Any:
    """What is at ``parts`` inside of a value; `ABSENT` if nothing is."""
    for part in parts:
        inner = form.inner(value)
        if isinstance(part, str):
            value = inner.get(part, ABSENT) if isinstance(inner, Mapping) else ABSENT
        elif isinstance(inner, Sequence) and part < len(inner):
            value = inner[part]
        else:
            return ABSENT
    return value


def copied(value: Any) -> Any:
    """A copy of the containers: who changes it changes nothing else."""
    kind: Any = value.__class__
    if kind is dict:
        return {
            name: copied(inner) if inner.__class__ in _CHANGEABLE else inner
            for name, inner in value.items()
        }
    if kind is list:
        return [copied(inner) if inner.__class__ in _CHANGEABLE else inner for inner in value]
    return kind(value) if kind in _CHANGEABLE else value


_CHANGEABLE: Final[frozenset[type]] = frozenset({dict, list, set, bytearray})
