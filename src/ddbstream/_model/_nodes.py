"""What every kind of annotation can do: the node protocol, faults, and ``Any``."""

from __future__ import annotations

from typing import Any, Final

from .._attribute_value import (
    TAGS,
    Unreadable,
    fault,
    read_slowly,
    tag_words,
    write,
)
from .._attribute_value import _read as read_quickly
from ..exceptions import DDBStreamError, DecodeError, EncodeError
from ._source import Emitter

Path = tuple["str | int", ...]

#: What a node's ``read`` returns where it noted a fault instead.
FAULT: Final = type("Fault", (), {"__repr__": lambda self: "FAULT"})()

#: Faults noted for one item at most: a list of a million wrong members is one mistake.
MAX_FAULTS = 100


class Faults:
    """The faults found in one item so far."""

    def __init__(self) -> None:
        self.errors: list[DDBStreamError] = []

    def note(self, path: Path, expected: str, found: str) -> Any:
        return self.add(fault(path, expected, found))

    def add(self, error: DDBStreamError) -> Any:
        if len(self.errors) < MAX_FAULTS:
            self.errors.append(error)
        return FAULT


class Node:
    """One annotation, planned: reads, writes, and emits the code that reads quickly.

    ``read`` is the meaning; ``emit`` is the same for the usual input, and raises for the rest.

    Attributes:
        tags: The wire tags that ``read`` can take.
        words: What an error says was expected.
    """

    tags: frozenset[str] = TAGS
    words: str = "any attribute value"

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        """Read an attribute value, or note the fault and return ``FAULT``."""
        raise NotImplementedError

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        """Write a Python value; raises EncodeError with a path relative to it."""
        raise NotImplementedError

    def emit(self, e: Emitter, source: str, target: str) -> None:
        """Emit lines that read the attribute value in ``source`` into ``target``."""
        raise NotImplementedError

    def holds(self, value: Any) -> bool:
        """Whether a Python value is this kind's: tells a union's alternatives apart on the way out."""
        raise NotImplementedError

    def left_out(self, value: Any) -> bool:
        """Whether a field leaves this value out, because DynamoDB cannot store it and reading restores it."""
        return False

    def mismatch(self, value: Any, path: Path, faults: Faults) -> Any:
        """Note that another tag was found."""
        return faults.note(path, self.words, tag_words(value))

    def refuse(self, value: Any) -> EncodeError:
        return EncodeError(expected=self.words, found=type(value).__name__)


class AnyNode(Node):
    """``Any`` and ``object``: what reading without a model gives."""

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        try:
            return read_slowly(value, path)
        except DecodeError as error:
            return faults.add(error)

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        return write(value, json, 0)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.line(f"{target} = {e.const(read_quickly, 'read_any')}({source}, 0)")

    def holds(self, value: Any) -> bool:
        return True


class OptionalNode(Node):
    """``T | None``."""

    def __init__(self, inner: Node) -> None:
        self.inner = inner
        self.tags = inner.tags | {"NULL"}
        self.words = f"{inner.words} or NULL"

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        if tag_words(value) == "NULL":
            return NONE.read(value, path, faults)
        return self.inner.read(value, path, faults)

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        return {"NULL": True} if value is None else self.inner.write(value, json)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        with e.block(f'if "NULL" in {source}:'):
            NONE.emit(e, source, target)
        with e.block("else:"):
            self.inner.emit(e, source, target)

    def holds(self, value: Any) -> bool:
        return value is None or self.inner.holds(value)


class NoneNode(Node):
    """``None``."""

    tags = frozenset({"NULL"})
    words = "NULL"

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        if tag_words(value) != "NULL":
            return self.mismatch(value, path, faults)
        if not isinstance(value["NULL"], bool):
            return faults.note(path, "true in NULL", type(value["NULL"]).__name__)
        return None

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        if value is not None:
            raise self.refuse(value)
        return {"NULL": True}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.refuse_if(f'type({source}["NULL"]) is not bool or len({source}) != 1')
        e.line(f"{target} = None")

    def holds(self, value: Any) -> bool:
        return value is None


ANY = AnyNode()
NONE = NoneNode()

__all__ = [
    "ANY",
    "FAULT",
    "NONE",
    "AnyNode",
    "Faults",
    "Node",
    "NoneNode",
    "OptionalNode",
    "Path",
    "Unreadable",
]
