"""The two roads that generated code reads an item by: from dicts, or from structs of msgspec's.

A node says once what it reads: `Node.payload_types` and `Node.emit_tagged`. Here is what differs:
how a member and a payload are spelled, and what shows that one is absent. The structs are generated
from the plan: one for each class with fields, and one for each set of tags, so that
``{"N": "1"}`` is read as ``N("1")``, in C, and anything else is refused. What a node cannot read
from structs it reads from dicts, which msgspec makes of that part.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from ddbstream._model.class_specs import MISSING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ddbstream._model.source import Emitter

__all__ = ["DICTS", "Dicts", "Road", "Structs"]


class Readable(Protocol):
    """What a node has for the roads."""

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        """For each tag that `emit_tagged` reads, the type that msgspec reads its payload as."""
        ...

    def emit(self, e: Emitter, source: str, target: str) -> None:
        """Emit lines that read the attribute value in ``source``, a dict."""
        ...

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        """Emit lines that read the payload of a tag."""
        ...


class Dicts:
    """Items are dicts, as `json.loads` and boto3 give them."""

    absent: Any = MISSING

    def member(
        self, e: Emitter, item: str, node: Readable, attribute: str, *, required: bool
    ) -> str:
        """The expression of a member of the map ``item`` of a node; `absent` if it is not there."""
        if required:
            return f"{item}[{attribute!r}]"
        return f"{item}.get({attribute!r}, {e.const(self.absent, 'MISSING')})"

    def text(self, e: Emitter, value: str) -> str:
        """The expression of the text of an ``S``."""
        e.single(value)
        return f'{value}["S"]'

    def read(self, e: Emitter, node: Readable, source: str, target: str) -> None:
        """Emit lines that read the attribute value in ``source`` into ``target``."""
        node.emit(e, source, target)

    def owner(self, node: Readable) -> object:
        """What a node's helper function is kept by."""
        return node


DICTS = Dicts()


class Structs:
    """Items are structs, generated here, that msgspec has read from JSON.

    Attributes:
        unset: What an absent member is.
    """

    def __init__(self) -> None:
        # Never imported here: who has text to read has sliced it with msgspec.
        msgspec = self._msgspec = sys.modules["msgspec"]
        self.absent: Any = msgspec.UNSET
        self._wrappers: dict[tuple[tuple[str, Any], ...], Any] = {}
        self._types: dict[int, dict[str, Any] | None] = {}
        self._names: dict[int, dict[str, str]] = {}
        self._open: list[int] = []
        self._recursive: set[int] = set()
        self._owners: dict[int, object] = {}

    def decoder(self, shape: Any) -> Any:
        """The function that reads JSON text into a type."""
        # Not strict: it reads the text of an N as an int or a float. A payload that it must not
        # convert, a bool or a null, is read as what it is, and checked by the code.
        return self._msgspec.json.Decoder(shape, strict=False).decode

    # --- types ----------------------------------------------------------------------------------

    def types(self, node: Readable) -> dict[str, Any] | None:
        """What msgspec reads each tag's payload as; None: the node reads dicts.

        A class inside itself is read from dicts.
        """
        key = id(node)
        if key in self._open:
            self._recursive.add(key)
            return None
        if key not in self._types:
            self._open.append(key)
            found = node.payload_types(self)
            self._open.pop()
            self._types[key] = None if key in self._recursive else found
        return self._types[key]

    def shape(self, node: Readable) -> Any:
        """What msgspec reads an attribute value of a node as."""
        types = self.types(node)
        if types is None:
            return Any
        key = tuple(types.items())
        if key not in self._wrappers:
            unset = self._msgspec.UnsetType
            # One tag has to be there; of several, generated code checks that it is just one.
            fields: list[Any] = (
                list(key)
                if len(key) == 1
                else [
                    (tag, payload if payload is Any else payload | unset, self.absent)
                    for tag, payload in key
                ]
            )
            self._wrappers[key] = self._struct("".join(types), fields, forbid=True)
        return self._wrappers[key]

    def class_of(
        self, node: Readable, name: str, members: Iterable[tuple[str, Any, bool]], *, forbid: bool
    ) -> Any:
        """The struct of a map with known members.

        Args:
            node: Whose map it is.
            name: For tracebacks.
            members: Attribute, type, and whether it has to be there.
            forbid: Whether there may be no others.
        """
        fields: list[Any] = []
        names: dict[str, str] = {}
        for attribute, shape, required in members:
            names[attribute] = f"a{len(names)}"
            kind = shape if required or shape is Any else shape | self._msgspec.UnsetType
            default = {} if required else {"default": self.absent}
            fields.append((names[attribute], kind, self._msgspec.field(name=attribute, **default)))
        self._names[id(node)] = names
        return self._struct(name, fields, forbid=forbid)

    def _struct(self, name: str, fields: list[Any], *, forbid: bool) -> Any:
        return self._msgspec.defstruct(
            name if name.isidentifier() else "Item",
            fields,
            gc=False,
            forbid_unknown_fields=forbid,
            kw_only=True,
        )

    # --- code -----------------------------------------------------------------------------------

    def member(
        self, e: Emitter, item: str, node: Readable, attribute: str, *, required: bool
    ) -> str:
        """As that of `Dicts`."""
        return f"{item}.{self._names[id(node)][attribute]}"

    def text(self, e: Emitter, value: str) -> str:
        """As that of `Dicts`."""
        return f"{value}.S"

    def read(self, e: Emitter, node: Readable, source: str, target: str) -> None:
        """As that of `Dicts`."""
        types = self.types(node)
        if types is None:
            with e.payloads(typed=False):
                node.emit(e, source, target)
            return
        with e.payloads(typed=True):
            self._read_one_of(e, node, types, source, target)

    def _read_one_of(
        self, e: Emitter, node: Readable, types: dict[str, Any], source: str, target: str
    ) -> None:
        if len(types) == 1:
            (tag,) = types
            node.emit_tagged(e, tag, f"{source}.{tag}", target, self)
            return
        unset, head = e.const(self.absent, "UNSET"), "if"
        for tag in types:
            with e.block(f"{head} {source}.{tag} is not {unset}:"):
                for other in types:
                    if other != tag:
                        e.refuse_if(f"{source}.{other} is not {unset}")
                node.emit_tagged(e, tag, f"{source}.{tag}", target, self)
            head = "elif"
        with e.block("else:"):
            e.line("raise Unreadable")

    def owner(self, node: Readable) -> object:
        """As that of `Dicts`."""
        return self._owners.setdefault(id(node), object())


Road = Dicts | Structs
