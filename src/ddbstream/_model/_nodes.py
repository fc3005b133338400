"""What every kind of annotation can do: the node protocol, faults, and the kinds without a shape."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ddbstream._attribute_value import Other, read_quickly, read_slowly, write
from ddbstream._model._source import Emitter
from ddbstream._payloads import TAGS, Path, Unreadable, fault, kind_of, tag_words
from ddbstream.exceptions import DDBStreamError, DecodeError, EncodeError

#: What a node's ``read`` returns where it noted a fault instead.
FAULT: Final[Any] = type("Fault", (), {"__repr__": lambda _: "FAULT"})()

#: Faults noted for one item at most: a list of a million wrong members is one mistake.
MAX_FAULTS = 100


class Faults:
    """The faults found in one item so far."""

    def __init__(self) -> None:
        self.errors: list[DDBStreamError] = []

    def note(self, path: Path, expected: str, found: str) -> Any:
        """Note what was expected and found at a path; returns FAULT."""
        return self.add(fault(path, expected, found))

    def add(self, error: DDBStreamError) -> Any:
        """Note an error that knows its path; returns FAULT."""
        if len(self.errors) < MAX_FAULTS:
            self.errors.append(error)
        return FAULT


class Node:
    """One annotation, planned: reads, writes, and emits the code that reads quickly.

    ``read`` is the meaning. ``emit`` is the same for the usual input, and raises for the rest.

    Attributes:
        tags: The wire tags that ``read`` takes.
        words: What an error says was expected.
        whole: Whether ``write`` takes the instance that has the field, in place of the field's value.
        has_text: Whether ``from_text`` and ``to_text`` work: in map keys and key templates.
    """

    tags: frozenset[str] = TAGS
    words: str = "any attribute value"
    has_text: bool = False
    whole: bool = False

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        """Read an attribute value, or note the fault and return ``FAULT``."""
        raise NotImplementedError

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        """Write a value inside ``depth`` containers; raises EncodeError with a path relative to it."""
        raise NotImplementedError

    def emit(self, e: Emitter, source: str, target: str) -> None:
        """Emit lines that read the attribute value in ``source`` into ``target``."""
        e.line(f"{target} = {e.const(_reader(self), 'read')}({source})")

    def holds(self, value: Any) -> bool:
        """Whether a Python value is of this kind, to tell a union's alternatives apart in writing."""
        raise NotImplementedError

    def left_out(self, value: Any) -> bool:  # noqa: ARG002
        """Whether DynamoDB cannot store this value, so that a field may leave it out."""
        return False

    def absent(self) -> Callable[[], Any] | None:
        """Makes the value of a field without a default whose attribute is absent; None: it is required."""
        return None

    def from_text(self, text: str) -> Any:
        """The value that ``to_text`` wrote; raises ValueError."""
        raise NotImplementedError

    def to_text(self, value: Any) -> str:
        """A value as text; raises EncodeError."""
        raise NotImplementedError

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        """Emit lines that read part of a key into ``target``: only what would be written the same."""
        e.line(f"{target} = {e.const(self.from_text, 'from_text')}({text})")
        e.refuse_if(f"{e.const(self.to_text, 'to_text')}({target}) != {text}")

    def mismatch(self, value: Any, path: Path, faults: Faults) -> Any:
        """Note that another tag was found; returns FAULT."""
        return faults.note(path, self.words, tag_words(value))

    def refuse(self, value: Any) -> EncodeError:
        """The error for a value of another kind."""
        return EncodeError(expected=self.words, found=type(value).__name__)


def _reader(node: Node) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        made = node.read(value, (), Faults())
        if made is FAULT:
            raise Unreadable
        return made

    return read


class AnyNode(Node):
    """``Any`` and ``object``: what reading without a model gives.

    Args:
        other: Writes what DynamoDB has no type for: instances of models.
    """

    def __init__(self, other: Other) -> None:
        self.other = other

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        try:
            return read_slowly(value, path, len(path) - 1)
        except DecodeError as error:
            return faults.add(error)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return write(value, json, depth, self.other)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.line(f"{target} = {e.const(read_quickly, 'read_any')}({source}, {e.depth})")

    def holds(self, value: Any) -> bool:  # noqa: ARG002
        return True


class NoneNode(Node):
    """``None``."""

    tags = frozenset({"NULL"})
    words = "NULL"

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        if tag_words(value) != "NULL":
            return self.mismatch(value, path, faults)
        if not isinstance(value["NULL"], bool):
            return faults.note(path, "true in NULL", kind_of(value["NULL"]))
        return None

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if value is not None:
            raise self.refuse(value)
        return {"NULL": True}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.refuse_if(f'type({source}["NULL"]) is not bool or len({source}) != 1')
        e.line(f"{target} = None")

    def holds(self, value: Any) -> bool:
        return value is None


NONE = NoneNode()


class OptionalNode(Node):
    """``T | None``."""

    def __init__(self, inner: Node) -> None:
        self.inner = inner
        self.tags = inner.tags | NONE.tags
        self.words = f"{inner.words} or NULL"
        self.has_text = inner.has_text
        self.from_text = inner.from_text  # type: ignore[method-assign]
        self.to_text = inner.to_text  # type: ignore[method-assign]
        self.emit_text = inner.emit_text  # type: ignore[method-assign]

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        if tag_words(value) == "NULL":
            return NONE.read(value, path, faults)
        if tag_words(value) not in self.tags:
            return self.mismatch(value, path, faults)
        return self.inner.read(value, path, faults)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return {"NULL": True} if value is None else self.inner.write(value, json, depth)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        with e.block(f'if "NULL" in {source}:'):
            NONE.emit(e, source, target)
        with e.block("else:"):
            self.inner.emit(e, source, target)

    def holds(self, value: Any) -> bool:
        return value is None or self.inner.holds(value)

    def left_out(self, value: Any) -> bool:
        return self.inner.left_out(value)

    def absent(self) -> Callable[[], Any]:
        return _none


def _none() -> None:
    return None


class FallbackNode(Node):
    """A field of a kind that only its class's library knows: it makes the value, and takes it apart.

    Args:
        inner: Reads and writes what is stored.
        dump: Called with the whole instance, gives what to store.
        name: The field.
    """

    whole = True

    def __init__(self, inner: Node, dump: Callable[[Any], Any], name: str) -> None:
        self.inner, self.dump, self.name = inner, dump, name
        self.emit = inner.emit  # type: ignore[method-assign]

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        return self.inner.read(value, path, faults)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        """Write the field of the instance ``value``."""
        return self.inner.write(self.dump(value), json, depth)

    def holds(self, value: Any) -> bool:  # noqa: ARG002
        return True


class ConvertedNode(Node):
    """A kind of the user's own: the values it is made of, through ``structure`` and ``unstructure``.

    Args:
        inner: Reads and writes what the functions take and give.
        structure: Makes the value; None: it is what ``inner`` reads.
        unstructure: Takes it apart; None: ``inner`` writes it.
        kind: The class, for ``holds``; or None.
        name: What errors call it.
    """

    def __init__(
        self,
        inner: Node,
        structure: Callable[[Any], Any] | None,
        unstructure: Callable[[Any], Any] | None,
        kind: type | None,
        name: str,
    ) -> None:
        self.inner, self.structure, self.unstructure = inner, structure, unstructure
        self.kind, self.name = kind, name
        self.tags = inner.tags
        self.words = f"what {name} is made of" if isinstance(inner, AnyNode) else inner.words
        self.has_text = inner.has_text or isinstance(inner, AnyNode)

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        raw = self.inner.read(value, path, faults)
        if raw is FAULT or self.structure is None:
            return raw
        try:
            return self.structure(raw)
        except Exception as error:  # noqa: BLE001 - the user's own code may raise anything
            wrong = fault(
                path, self.name, f"{tag_words(value)} refused with {type(error).__name__}"
            )
            wrong.__cause__ = error
            return faults.add(wrong)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return self.inner.write(self._raw(value), json, depth)

    def _raw(self, value: Any) -> Any:
        if self.kind is not None and not isinstance(value, self.kind):
            raise EncodeError(expected=self.name, found=type(value).__name__)
        if self.unstructure is None:
            return value
        try:
            return self.unstructure(value)
        except Exception as error:
            raise EncodeError(
                f"{self.name} cannot be taken apart: {type(error).__name__}"
            ) from error

    def emit(self, e: Emitter, source: str, target: str) -> None:
        self.inner.emit(e, source, target)
        if self.structure is not None:
            e.line(f"{target} = {e.const(self.structure, self.name)}({target})")

    def holds(self, value: Any) -> bool:
        return self.inner.holds(value) if self.kind is None else isinstance(value, self.kind)

    def from_text(self, text: str) -> Any:
        raw = text if isinstance(self.inner, AnyNode) else self.inner.from_text(text)
        return raw if self.structure is None else self.structure(raw)

    def to_text(self, value: Any) -> str:
        raw = self._raw(value)
        if not isinstance(self.inner, AnyNode):
            return self.inner.to_text(raw)
        if not isinstance(raw, str):
            raise EncodeError(expected=f"{self.name} as text", found=type(raw).__name__)
        return raw
