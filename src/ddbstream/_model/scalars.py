"""Scalars: ``str int float bool bytes Decimal``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from ddbstream._model.nodes import Node, ReadErrors
from ddbstream._model.source import Emitter
from ddbstream._values.binaries import base64_to_bytes, binary_to_wire, is_binary, read_binary
from ddbstream._values.numbers import decimal_from_text, number_from_wire, number_to_wire
from ddbstream._values.tags import tag_words
from ddbstream.exceptions import EncodeError

if TYPE_CHECKING:
    from ddbstream._model.roads import Road, Structs
    from ddbstream._values.paths import Parts

#: Far above any DynamoDB number; an int with a larger exponent could fill the memory.
_MAX_INT_EXPONENT = 1000


_is_finite = Decimal.is_finite


class Misfit(ValueError):
    """A well-formed payload that does not fit; the exception's text holds no value."""


class Scalar(Node):
    """A kind whose payload is text, a number, a bool or bytes: what sets and map keys may hold.

    Attributes:
        tag: The wire tag it is written with.
        python: The Python type that ``holds`` checks for.
        detail: What an error says the payload should have been.
        json: What a payload is in JSON.
        native: What msgspec reads a payload as, if that is the value itself.
        has_check: Whether `emit_check` checks more of that than msgspec has.
    """

    tag: str = "S"
    python: type = str
    detail: str = "text in S"
    json: Any = str
    native: type | None = None
    has_check = False
    has_text = True

    def __init__(self) -> None:
        self.tags = frozenset({self.tag})
        self.words = self.tag

    def parse(self, payload: Any) -> Any:
        """The value of a payload of ``tag``; raises anything if the payload is malformed."""
        raise NotImplementedError

    def unparse(self, value: Any, json: bool) -> Any:
        """The payload of a value; raises EncodeError."""
        raise NotImplementedError

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        """Emit lines that read a payload expression into ``target``."""
        e.line(f"{target} = {e.const(self.parse, 'parse')}({payload})")

    def emit_many(self, e: Emitter, payloads: str, target: str) -> None:
        """Emit lines that make the list of a set's values from the list of its payloads."""
        payload, value = e.var("p"), e.var("x")
        e.line(f"{target} = []")
        with e.block(f"for {payload} in {payloads}:"):
            self.emit_payload(e, payload, value)
            e.line(f"{target}.append({value})")

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        tag = tag_words(value)
        if tag not in self.tags:
            return self.mismatch(value, path, errors)
        return self.read_payload(tag, value[tag], path, errors)

    def read_payload(self, tag: str, payload: Any, path: Parts, errors: ReadErrors) -> Any:
        """Read the payload of one of ``tags``, or note the error."""
        try:
            return self.parse_tagged(tag, payload)
        except Misfit as error:
            found = str(error)
        except Exception:  # noqa: BLE001 - whatever a conversion raises, the payload is malformed
            found = f"malformed {tag}"
        return errors.note(path, self.detail, found)

    def parse_tagged(self, tag: str, payload: Any) -> Any:
        """As ``parse``, for kinds that take several tags."""
        return self.parse(payload)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return {self.tag: self.unparse(value, json)}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.single(source)
        self.emit_payload(e, f'{source}["{self.tag}"]', target)

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        return {self.tag: self.native or self.json}

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        if self.native is None:
            self.emit_payload(e, payload, target)
        else:
            e.line(f"{target} = {payload}")
            self.emit_check(e, target)

    def emit_check(self, e: Emitter, value: str) -> None:
        """Emit what msgspec has not checked of a ``native`` value."""

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.python)

    def from_text(self, text: str) -> Any:
        return self.parse(text)

    def to_text(self, value: Any) -> str:
        text: str = self.unparse(value, json=True)
        return text

    def refuse(self, value: Any) -> EncodeError:
        return EncodeError(expected=self.python.__name__, found=type(value).__name__)


class StrNode(Scalar):
    """``str``."""

    native: type | None = str

    def parse(self, payload: Any) -> str:
        if not isinstance(payload, str):
            raise TypeError
        return str.__str__(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not isinstance(value, str):
            raise self.refuse(value)
        return str.__str__(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        e.check_type(target, "str")

    def emit_many(self, e: Emitter, payloads: str, target: str) -> None:
        e.line(f'"".join({payloads})  # raises unless all are text')
        e.line(f"{target} = {payloads}")

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        e.line(f"{target} = {text}")


class BoolNode(Scalar):
    """``bool``."""

    tag = "BOOL"
    python = bool
    json = Any
    detail = "true or false in BOOL"

    def parse(self, payload: Any) -> bool:
        if not isinstance(payload, bool):
            raise TypeError
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
        return "true" if self.unparse(value, json=True) else "false"


class BytesNode(Scalar):
    """``bytes`` and ``bytearray``; as text they are base64."""

    tag = "B"
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
        base64 = e.const(base64_to_bytes, "base64")
        if e.typed:
            e.line(f"{target} = {base64}({payload})")
        else:
            e.line(f"{target} = {payload}")
            with e.block(f"if type({target}) is str:"):
                e.line(f"{target} = {base64}({target})")
            with e.block(f"elif type({target}) is not bytes:"):
                e.line("raise Unreadable")
        if self.python is not bytes:
            e.line(f"{target} = {e.const(self.python, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return is_binary(value)


class DecimalNode(Scalar):
    """``Decimal``: every digit."""

    tag = "N"
    python = Decimal
    detail = "a number in N"

    def parse(self, payload: Any) -> Decimal:
        return number_from_wire(payload)

    def unparse(self, value: Any, json: bool) -> str:
        if not self.holds(value):
            raise self.refuse(value)
        return number_to_wire(value)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        e.check_type(target, "str")  # create_decimal takes bools and binary floats
        e.line(f"{target} = {e.const(decimal_from_text, 'decimal')}({target})")
        e.refuse_if(f"not {target}.is_finite()")

    def emit_many(self, e: Emitter, payloads: str, target: str) -> None:
        decimal, finite = e.const(decimal_from_text, "decimal"), e.const(_is_finite, "is_finite")
        e.line(f'"".join({payloads})')
        e.line(f"{target} = [*map({decimal}, {payloads})]")
        e.refuse_if(f"not all(map({finite}, {target}))")

    def holds(self, value: Any) -> bool:
        return isinstance(value, (Decimal, int)) and not isinstance(value, bool)


class IntNode(Scalar):
    """``int``: an ``N`` without a fraction."""

    tag = "N"
    python = int
    native: type | None = int
    detail = "an integral number in N"

    def parse(self, payload: Any) -> int:
        number = number_from_wire(payload)
        if number.adjusted() > _MAX_INT_EXPONENT:
            raise Misfit("a number out of range")
        integral = int(number)
        if integral != number:
            raise Misfit("a fraction")
        return integral

    def unparse(self, value: Any, json: bool) -> str:
        if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
            return number_to_wire(value)
        if not self.holds(value):
            raise self.refuse(value)
        return number_to_wire(int(value))

    def to_text(self, value: Any) -> str:
        # "1.0" of a Decimal would be read as 1, and that written as "1"
        exact = value if type(value) is int else self.parse(self.unparse(value, True))
        return self.unparse(exact, True)

    def formatted(self, number: int, spec: str) -> str | None:
        """An int in a format; None where that is no text, or would not be read as the same int."""
        try:
            text = format(number, spec)
            return text if self.from_text(text) == number else None
        except Exception:  # noqa: BLE001 - no format of an int, or no text of one
            return None

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        e.line(f"{target} = {payload}")
        # int() takes "1_0" and " 1" too; isdecimal costs a third of it
        e.refuse_if(
            f'not {target}.isdecimal() and ({target}[0] != "-" or not {target}[1:].isdecimal())'
        )
        e.line(f"{target} = int({target})")

    def emit_many(self, e: Emitter, payloads: str, target: str) -> None:
        with e.block(f'if "".join({payloads}).isdecimal():'):
            e.line(f"{target} = [*map(int, {payloads})]")
        with e.block("else:"):  # one is negative, or there is none, or one is no integer's text
            super().emit_many(e, payloads, target)

    def holds(self, value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool)


#: DynamoDB's largest number, and the float that is nearest to it, which is above.
_LARGEST = f"9.{'9' * 37}E+125"
_ABOVE_LARGEST = float(_LARGEST)


class FloatNode(Scalar):
    """``float``: the nearest; written by its shortest text."""

    tag = "N"
    python = float
    native = float
    has_check = True
    detail = "a number in N"

    def parse(self, payload: Any) -> float:
        nearest = float(number_from_wire(payload))
        if nearest in (float("inf"), float("-inf")):
            raise Misfit("a number out of range")
        return nearest

    def unparse(self, value: Any, json: bool) -> str:
        if not self.holds(value):
            raise self.refuse(value)
        if isinstance(value, int) and not _is_exact_as_float(value):
            raise EncodeError(expected="float", found="an int that no float equals")
        if abs(value) == _ABOVE_LARGEST:
            return _LARGEST if value > 0 else f"-{_LARGEST}"
        return number_to_wire(value)

    def to_text(self, value: Any) -> str:
        # "1" of an int would be read as 1.0, and that written as "1.0"
        exact = value if type(value) is float else self.parse(self.unparse(value, True))
        return self.unparse(exact, True)

    def emit_payload(self, e: Emitter, payload: str, target: str) -> None:
        text = e.var("t")
        e.line(f"{text} = {payload}")
        e.line(f"{target} = float({text})")
        e.check_float(text, target)

    def emit_check(self, e: Emitter, value: str) -> None:
        e.check_float(None, value)

    def holds(self, value: Any) -> bool:
        return isinstance(value, (float, int)) and not isinstance(value, bool)


def _is_exact_as_float(value: int) -> bool:
    try:
        return float(value) == value
    except OverflowError:
        return False
