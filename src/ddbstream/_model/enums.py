"""Enums by value."""

from __future__ import annotations

from enum import Enum, Flag
from typing import Any

from ddbstream._model.nodes import Node
from ddbstream._model.scalars import IntNode, Misfit, Scalar
from ddbstream._model.source import Emitter
from ddbstream.exceptions import EncodeError


class EnumNode(Scalar):
    """An enum by value, all of whose values are of one scalar kind.

    Args:
        cls: The enum.
        inner: The node of its values.
        by_value: Whether instances keep the values in place of the members.
    """

    def __init__(self, cls: type[Enum], inner: Scalar, *, by_value: bool = False) -> None:
        self.python, self.inner, self.tag, self.json = cls, inner, inner.tag, inner.json
        super().__init__()
        self._by_value = by_value
        self.detail = f"a value of {cls.__name__} in {self.tag}"
        # a float or bytes value has more than one text
        one_text = inner.tag == "S" or isinstance(inner, IntNode)
        members = [member for member in cls if one_text]
        self.by_text = {inner.to_text(member.value): member for member in members}

    def parse(self, payload: Any) -> Any:
        value = self.inner.parse(payload)
        try:
            return self.python(value)
        except ValueError:
            raise Misfit(f"another {self.tag}") from None

    def unparse(self, value: Any, json: bool) -> Any:
        if not self.holds(value):
            raise self.refuse(value)
        return self.inner.unparse(self._member(value).value, json)

    def refuse(self, value: Any) -> EncodeError:
        if not (self._by_value and isinstance(value, self.python)):
            return super().refuse(value)
        return EncodeError(
            expected=f"the value of a member of {self.python.__name__} (use_enum_values keeps it)",
            found="the member itself",
        )

    def _member(self, value: Any) -> Any:
        return self.python(value)

    def holds(self, value: Any) -> bool:
        if not self._by_value:
            return isinstance(value, self.python)
        # a plain member among values would be read back as a value
        try:
            member = self._member(value)
        except ValueError:
            return False
        return bool(member.value == value) and type(value) in (type(member), type(member.value))

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        if self.by_text and not issubclass(self.python, Flag):
            e.line(f"{target} = {e.const(self.by_text, self.python.__name__)}[{payload}]")
            return
        value = e.var("x")
        self.inner.emit_payload(e, payload, value)
        e.line(f"{target} = {e.const(self.python, self.python.__name__)}({value})")

    def from_text(self, text: str) -> Any:
        return self.python(self.inner.from_text(text))

    def to_text(self, value: Any) -> str:
        if not self.holds(value):
            raise self.refuse(value)
        return self.inner.to_text(self._member(value).value)

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        Node.emit_text(self, e, text, target)
