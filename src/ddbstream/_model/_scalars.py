"""Scalars: ``str int float bool bytes Decimal UUID``, enums and literals."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Any

from .._attribute_value import (
    base64_to_bytes,
    binary_to_wire,
    decimal_from_text,
    is_binary,
    number_from_wire,
    number_to_wire,
    read_binary,
    tag_words,
)
from ..exceptions import EncodeError
from ._nodes import FAULT, Faults, Node, Path
from ._source import Emitter

#: Beyond this a number came from elsewhere, and an int of it could fill the memory.
_MAX_INT_EXPONENT = 1000


class Scalar(Node):
    """A kind whose payload is text, a number or bytes: one that sets, map keys and key templates can hold.

    Attributes:
        tag: The wire tag it is written with.
        python: The Python type that ``holds`` asks for.
    """

    tag: str = "S"
    python: type = str

    def __init__(self) -> None:
        self.tags = frozenset({self.tag})
        self.words = self.tag

    def parse(self, payload: Any) -> Any:
        """The value of a payload of ``tag``; raises ValueError (or anything else) if it is none."""
        raise NotImplementedError

    def unparse(self, value: Any, json: bool) -> Any:
        """The payload of a value; raises EncodeError."""
        raise NotImplementedError

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        """Emit lines that read a payload expression into ``target``."""
        raise NotImplementedError

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        tag = tag_words(value)
        if tag not in self.tags:
            return self.mismatch(value, path, faults)
        return self.read_payload(tag, value[tag], path, faults)

    def read_payload(self, tag: str, payload: Any, path: Path, faults: Faults) -> Any:
        found = f"malformed {tag}"
        try:
            return self.parse(payload)
        except Exception as error:
            if type(error) is _Misfit:
                found = str(error)
        return faults.note(path, self.detail, found)

    @property
    def detail(self) -> str:
        """What the payload should have been."""
        return f"{self.words} ({self.python.__name__})"

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        return {self.tag: self.unparse(value, json)}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.single(source)
        self.emit_payload(e, f'{source}["{self.tag}"]', target)

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.python)

    def from_text(self, text: str) -> Any:
        """The value that ``to_text`` wrote, for map keys and key templates; raises ValueError."""
        return self.parse(text)

    def to_text(self, value: Any) -> str:
        text: str = self.unparse(value, True)
        return text

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        """Emit lines that read a part of a key into ``target``: only what would be written the same."""
        part = e.var("t")
        e.line(f"{part} = {text}")
        e.line(f"{target} = {e.const(self.from_text, 'from_text')}({part})")
        e.refuse_if(f"{e.const(self.to_text, 'to_text')}({target}) != {part}")


class _Misfit(ValueError):
    """A payload that is well formed, and does not fit; its text names no value."""


class StrNode(Scalar):
    def parse(self, payload: Any) -> str:
        if not isinstance(payload, str):
            raise ValueError
        return str.__str__(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, str):
            raise self.refuse(value)
        return str.__str__(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        e.refuse_if(f"type({target}) is not str")

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        e.line(f"{target} = {text}")

    detail = "text in S"


class BoolNode(Scalar):
    tag = "BOOL"
    python = bool

    def parse(self, payload: Any) -> bool:
        if not isinstance(payload, bool):
            raise ValueError
        return payload

    def unparse(self, value: Any, json: bool) -> bool:
        if not isinstance(value, bool):
            raise self.refuse(value)
        return value

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        e.refuse_if(f"{target} is not True and {target} is not False")

    def from_text(self, text: str) -> bool:
        return {"true": True, "false": False}[text]

    def to_text(self, value: Any) -> str:
        return "true" if self.unparse(value, True) else "false"

    detail = "true or false in BOOL"


class BytesNode(Scalar):
    tag = "B"
    python = bytes
    detail = "bytes or base64 text in B"

    def __init__(self, make: type = bytes) -> None:
        super().__init__()
        self.python = make

    def parse(self, payload: Any) -> Any:
        raw = read_binary(payload)
        return raw if self.python is bytes else self.python(raw)

    def unparse(self, value: Any, json: bool) -> bytes | str:
        if not is_binary(value):
            raise self.refuse(value)
        return binary_to_wire(value, json)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        with e.block(f"if type({target}) is str:"):
            e.line(f"{target} = {e.const(base64_to_bytes, 'base64')}({target})")
        with e.block(f"elif type({target}) is not bytes:"):
            e.line("raise Unreadable")
        if self.python is not bytes:
            e.line(f"{target} = {e.const(self.python, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return is_binary(value)

    def from_text(self, text: str) -> Any:
        return self.python(base64_to_bytes(text))


class DecimalNode(Scalar):
    tag = "N"
    python = Decimal
    detail = "a number in N"

    def parse(self, payload: Any) -> Decimal:
        return number_from_wire(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if isinstance(value, bool) or not isinstance(value, (Decimal, int)):
            raise self.refuse(value)
        return number_to_wire(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        # create_decimal also takes tuples; is_finite's own cost is a tenth of it
        e.line(f"{target} = {e.const(decimal_from_text, 'decimal')}({payload})")
        e.refuse_if(f"not {target}.is_finite()")

    def refuse(self, value: Any) -> EncodeError:
        return EncodeError(expected="a Decimal or an int", found=type(value).__name__)


class IntNode(Scalar):
    tag = "N"
    python = int
    detail = "an integral number in N"

    def parse(self, payload: Any) -> int:
        number = number_from_wire(payload)
        if number.adjusted() > _MAX_INT_EXPONENT:
            raise _Misfit("a number out of range")
        integral = int(number)
        if integral != number:
            raise _Misfit("a fraction")
        return integral

    def unparse(self, value: Any, json: bool) -> str:
        if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
            raise self.refuse(value)
        if isinstance(value, Decimal) and (not value.is_finite() or value != value.to_integral_value()):
            raise EncodeError(expected="an integral number", found="a fraction")
        return number_to_wire(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        # int() takes "1_0" and " 1" too; isdecimal costs a third of it
        e.refuse_if(
            f'not {target}.isdecimal() and ({target}[0] != "-" or not {target}[1:].isdecimal())'
        )
        e.line(f"{target} = int({target})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)

    def refuse(self, value: Any) -> EncodeError:
        return EncodeError(expected="an int", found=type(value).__name__)


class FloatNode(Scalar):
    tag = "N"
    python = float
    detail = "a number in N"

    def parse(self, payload: Any) -> float:
        nearest = float(number_from_wire(payload))
        if nearest in (float("inf"), float("-inf")):
            raise _Misfit("a number out of range")
        return nearest

    def unparse(self, value: Any, json: bool) -> str:
        if isinstance(value, bool) or not isinstance(value, (float, int)):
            raise self.refuse(value)
        return number_to_wire(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        # float() takes "nan", "1_0" and " 1" too
        e.refuse_if(f'{target}.strip("0123456789.-+eE")')
        e.line(f"{target} = float({target})")
        e.refuse_if(f"not -1e300 < {target} < 1e300")

    def refuse(self, value: Any) -> EncodeError:
        return EncodeError(expected="a float", found=type(value).__name__)


class UUIDNode(Scalar):
    def __init__(self) -> None:
        from uuid import UUID, SafeUUID

        super().__init__()
        self.python = UUID
        self._unknown = SafeUUID.unknown

    detail = "a UUID in S"

    def parse(self, payload: Any) -> Any:
        if not isinstance(payload, str):
            raise ValueError
        return self.python(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, self.python):
            raise self.refuse(value)
        return str(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {e.const(self.python, 'UUID')}({payload})")

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        part = e.var("t")
        e.line(f"{part} = {text}")
        e.line(f"{target} = {e.const(self.python, 'UUID')}({part})")
        e.refuse_if(f"str({target}) != {part}")


class EnumNode(Scalar):
    """An enum by value; the kind of the values is planned like an annotation."""

    def __init__(self, cls: type[Enum], inner: Scalar) -> None:
        self.python = cls
        self.inner = inner
        self.tag = inner.tag
        super().__init__()
        self.by_value = {member.value: member for member in cls}

    @property
    def detail(self) -> str:
        return f"a value of {self.python.__name__} in {self.tag}"

    def parse(self, payload: Any) -> Any:
        return self.python(self.inner.parse(payload))

    def unparse(self, value: Any, json: bool) -> Any:
        if not isinstance(value, self.python):
            raise self.refuse(value)
        return self.inner.unparse(value.value, json)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        self.inner.emit_payload(e, payload, target)
        e.line(f"{target} = {e.const(self.by_value, self.python.__name__)}[{target}]")

    def refuse(self, value: Any) -> EncodeError:
        return EncodeError(expected=self.python.__name__, found=type(value).__name__)

    def from_text(self, text: str) -> Any:
        return self.python(self.inner.from_text(text))

    def to_text(self, value: Any) -> str:
        if not isinstance(value, self.python):
            raise self.refuse(value)
        return self.inner.to_text(value.value)


__all__ = [
    "FAULT",
    "BoolNode",
    "BytesNode",
    "DecimalNode",
    "EnumNode",
    "FloatNode",
    "IntNode",
    "Scalar",
    "StrNode",
    "UUIDNode",
]
