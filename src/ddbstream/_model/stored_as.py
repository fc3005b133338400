"""Kinds that are stored as another type than their usual one: ``Attribute(stored_as=)`` asks."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ddbstream._model.containers import Container, ListNode, SetNode, write_part
from ddbstream._model.nodes import FAILED, ReadErrors
from ddbstream._values.attribute_values import check_depth, empty_set
from ddbstream._values.numbers import decimal_from_text
from ddbstream.exceptions import EncodeError

if TYPE_CHECKING:
    from ddbstream._model.objects import ObjectNode
    from ddbstream._model.roads import Road, Structs
    from ddbstream._model.scalars import Scalar
    from ddbstream._model.source import Emitter
    from ddbstream._values.paths import Parts


class NamedTupleNode(Container):
    """A named tuple as an ``L`` of its fields; the last may be missing if they have defaults.

    Args:
        row: The node of its class.
    """

    def __init__(self, row: ObjectNode) -> None:
        super().__init__()
        self.row = row

    def occurs_again(self) -> None:
        self.row.occurs_again()

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        payload = self.payload(value, path, errors)
        if payload is FAILED:
            return FAILED
        fields = self.row.fields
        least = max((i + 1 for i, f in enumerate(fields) if f.required), default=0)
        if not least <= len(payload) <= len(fields):
            words = f"{len(fields)}" if least == len(fields) else f"{least} to {len(fields)}"
            return errors.note(path, f"{words} members in L", str(len(payload)))
        values = {f.name: f.absent() for f in fields[len(payload) :]}
        for index, (f, member) in enumerate(zip(fields, payload, strict=False)):
            values[f.name] = f.node.read(member, (*path, index), errors)
        if any(member is FAILED for member in values.values()):
            return FAILED
        return self.row.made(values, path, errors)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not self.holds(value):
            raise EncodeError(expected=self.row.name, found=type(value).__name__)
        if len(value) != len(self.row.fields):
            raise EncodeError(expected=f"{self.row.name} itself", found="one of another length")
        check_depth(depth)
        parts = enumerate(zip(self.row.fields, value, strict=True))
        written = {"L": [write_part(f.node, i, v, json, depth + 1) for i, (f, v) in parts]}
        if type(value) is not self.row.cls:
            self.row.check_subclass(value, partial(self.read, written))
        return written

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        # A list, since the shapes of its members differ; they are read from dicts.
        return {"L": list[Any]}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        if not self.row.is_shared:
            super().emit(e, source, target)
            return
        # it may be inside of itself
        emit = super().emit
        function = e.helper(self, self.row.name, lambda value, made: emit(e, value, made))
        e.line(f"{target} = {function}({source}, {e.depth})")

    def emit_members(self, e: Emitter, members: str, target: str, road: Road) -> None:
        e.refuse_if(f"len({members}) != {len(self.row.fields)}")
        names = []
        with e.deeper(), e.payloads(typed=False):
            for index, f in enumerate(self.row.fields):
                member, read = e.var("v"), e.var("x")
                e.line(f"{member} = {members}[{index}]")
                f.node.emit(e, member, read)
                names.append(read)
        e.line(f"{target} = {e.const(self.row.cls, self.row.name)}({', '.join(names)})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.row.cls)


class ListedSetNode(SetNode):
    """A list as an ``SS``, ``NS`` or ``BS``: read in the order in which its members come.

    Args:
        inner: The node of a member.
        listed: The node of the list.
    """

    def __init__(self, inner: Scalar, listed: ListNode) -> None:
        make: Any = listed.make or list
        super().__init__(inner, make)
        self._listed = listed

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not self._listed.holds(value):
            raise EncodeError(expected=self._listed.kind.__name__, found=type(value).__name__)
        payloads = [write_part(self.inner, i, v, json, depth) for i, v in enumerate(value)]
        members = [payload[self.inner.tag] for payload in payloads]
        if not members:
            raise empty_set()
        read = decimal_from_text if self.tag == "NS" else None
        if len(set(map(read, members) if read else members)) < len(members):
            raise EncodeError(expected=f"each member once in {self.tag}", found="one twice")
        return {self.tag: members}

    def left_out(self, value: Any) -> bool:
        return self._listed.holds(value) and not value

    def holds(self, value: Any) -> bool:
        return self._listed.holds(value) and all(self.inner.holds(member) for member in value)
