"""``Any``, ``None``, and kinds that wrap another: ``T | None``, converted values, aliases."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ddbstream._model.nodes import FAILED, Node, ReadErrors, raised
from ddbstream._model.source import Emitter
from ddbstream._values.attribute_values import Other, read_quickly, read_slowly, write
from ddbstream._values.tags import tag_words, type_words
from ddbstream.exceptions import DecodeError, EncodeError

if TYPE_CHECKING:
    from ddbstream._model.roads import Road, Structs
    from ddbstream._values.paths import Parts


class AnyNode(Node):
    """``Any`` and ``object``: read as without a model.

    Args:
        other: Writes a value that DynamoDB has no type for: a model's instance.
    """

    def __init__(self, other: Other) -> None:
        self.other = other

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        try:
            return read_slowly(value, path, len(path) - 1)
        except DecodeError as error:
            return errors.add(error)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return write(value, json, depth, self.other)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.line(f"{target} = {e.const(read_quickly, 'read_any')}({source}, {e.depth})")

    def holds(self, value: Any) -> bool:
        return True


class NoneNode(Node):
    """``None``."""

    tags = frozenset({"NULL"})
    words = "NULL"

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        if tag_words(value) != "NULL":
            return self.mismatch(value, path, errors)
        if not isinstance(value["NULL"], bool):
            return errors.note(path, "true in NULL", type_words(value["NULL"]))
        return None

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if value is not None:
            raise self.refuse(value)
        return {"NULL": True}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.refuse_if(f'type({source}["NULL"]) is not bool or len({source}) != 1')
        e.line(f"{target} = None")

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        return {"NULL": Any}

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        e.refuse_if(f"type({payload}) is not bool")
        e.line(f"{target} = None")

    def holds(self, value: Any) -> bool:
        return value is None


NONE = NoneNode()


class OptionalNode(Node):
    """``T | None``."""

    def __init__(self, inner: Node) -> None:
        self.inner = inner
        self.has_text = inner.has_text
        self.from_text = inner.from_text  # type: ignore[method-assign]
        self.to_text = inner.to_text  # type: ignore[method-assign]
        self.emit_text = inner.emit_text  # type: ignore[method-assign]

    def occurs_again(self) -> None:
        self.inner.occurs_again()

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]
        return self.inner.tags | NONE.tags  # those of a reference are known late

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"{self.inner.words} or NULL"

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        if tag_words(value) == "NULL":
            return NONE.read(value, path, errors)
        if tag_words(value) not in self.tags:
            return self.mismatch(value, path, errors)
        return self.inner.read(value, path, errors)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return {"NULL": True} if value is None else self.inner.write(value, json, depth)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        with e.block(f'if "NULL" in {source}:'):
            NONE.emit(e, source, target)
        with e.block("else:"):
            self.inner.emit(e, source, target)

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        types = structs.types(self.inner)
        return None if types is None else {**types, "NULL": Any}

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        node = NONE if tag == "NULL" else self.inner
        node.emit_tagged(e, tag, payload, target, road)

    def holds(self, value: Any) -> bool:
        return value is None or self.inner.holds(value)

    def left_out(self, value: Any) -> bool:
        return self.inner.left_out(value)


class ConvertedNode(Node):
    """A kind that the user's ``structure`` and ``unstructure`` convert.

    Args:
        inner: Reads what ``structure`` is given, and writes what ``unstructure`` returns.
        structure: Makes the value; None: it is what ``inner`` reads.
        unstructure: Turns the value into one that ``inner`` writes; None: ``inner`` writes it.
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
        self.has_text = inner.has_text or isinstance(inner, AnyNode)

    def occurs_again(self) -> None:
        self.inner.occurs_again()

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]
        return self.inner.tags  # those of a reference are known late

    @property
    def words(self) -> str:  # type: ignore[override]
        is_any = isinstance(self.inner, AnyNode)
        return f"what {self.name} is made from" if is_any else self.inner.words

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        raw = self.inner.read(value, path, errors)
        if raw is FAILED or self.structure is None:
            return raw
        try:
            return self.structure(raw)
        except Exception as error:  # noqa: BLE001 - the user's own code may raise anything
            found = f"{tag_words(value)} refused with {raised(error)}"
        return errors.note(path, self.name, found)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return self.inner.write(self.stored(value), json, depth)

    def stored(self, value: Any) -> Any:
        """What ``inner`` writes for a value; raises EncodeError."""
        if self.kind is not None and not isinstance(value, self.kind):
            raise EncodeError(expected=self.name, found=type(value).__name__)
        if self.unstructure is None:
            return value
        try:
            return self.unstructure(value)
        except Exception as error:  # noqa: BLE001 - the user's own code may raise anything
            problem = f"unstructuring {self.name} raised {raised(error)}"
        raise EncodeError(problem)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        if self.structure is None:
            self.inner.emit(e, source, target)
            return
        raw = e.var("x")
        self.inner.emit(e, source, raw)
        e.line(f"{target} = {e.const(self.structure, self.name)}({raw})")

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        return structs.types(self.inner)

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        if self.structure is None:
            self.inner.emit_tagged(e, tag, payload, target, road)
            return
        raw = e.var("x")
        self.inner.emit_tagged(e, tag, payload, raw, road)
        e.line(f"{target} = {e.const(self.structure, self.name)}({raw})")

    def holds(self, value: Any) -> bool:
        return self.inner.holds(value) if self.kind is None else isinstance(value, self.kind)

    def from_text(self, text: str) -> Any:
        raw = text if isinstance(self.inner, AnyNode) else self.inner.from_text(text)
        return raw if self.structure is None else self.structure(raw)

    def to_text(self, value: Any) -> str:
        raw = self.stored(value)
        if not isinstance(self.inner, AnyNode):
            return self.inner.to_text(raw)
        if not isinstance(raw, str):
            raise EncodeError(expected=f"{self.name} as text", found=type(raw).__name__)
        return raw


class ReferenceNode(Node):
    """A recursive type alias inside itself; ``target`` is set once it is planned.

    Its tags are known from then on: who needs them before asks later.
    """

    target: Node

    def __init__(self, name: str) -> None:
        self.name = name

    def again(self) -> Node:
        """The node where it occurs once more: a reference inside itself, else what it is."""
        if self.is_open:
            return self
        self.target.occurs_again()
        return self.target

    @property
    def is_open(self) -> bool:
        """Whether what it stands for is being planned."""
        return "target" not in self.__dict__

    @property
    def tags(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset() if self.is_open else self.target.tags

    @property
    def words(self) -> str:  # type: ignore[override]
        return self.name if self.is_open else self.target.words

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        return self.target.read(value, path, errors)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return self.target.write(value, json, depth)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        function = e.helper(self, self.name, lambda value, made: self.target.emit(e, value, made))
        e.line(f"{target} = {function}({source}, {e.depth})")

    def holds(self, value: Any) -> bool:
        return self.target.holds(value)

    def left_out(self, value: Any) -> bool:
        return self.target.left_out(value)
