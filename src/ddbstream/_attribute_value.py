"""AttributeValues without a model: DynamoDB's ten tagged types to Python values and back, exactly.

The tags and what they become (AWS: *DynamoDB API reference, AttributeValue*):

====== ======================= ====================================================
tag    wire value              Python value
====== ======================= ====================================================
S      str                     ``str``
N      decimal text            ``Decimal``, all digits kept
B      bytes, or base64 text   ``bytes``
BOOL   bool                    ``bool``
NULL   bool                    ``None``
L      list                    ``list``
M      map of AttributeValues  ``dict``
SS/NS  list of text            ``set`` of ``str`` / ``Decimal``
BS     list of B               ``set`` of ``bytes``
====== ======================= ====================================================

Reading takes both wires at once: boto3's form (bytes, or boto3's ``Binary``) and the JSON one (base64 text).
Writing gives the one asked for. The process's decimal context is never looked at.

Theory of operation: ``_read`` is the fast path, and is narrow. Whatever it cannot read raises something, and then
``read_slowly`` reads the value again, tolerantly and with a path, and either returns it or says what is wrong.
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from collections.abc import Mapping
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Literal

from .exceptions import DDBStreamError, DecodeError, EncodeError

if TYPE_CHECKING:
    from .typing import AttributeValue

Wire = Literal["boto3", "json"]

TAGS = frozenset({"S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})

#: AWS, "Service, account, and table quotas": nested attributes go up to 32 levels deep.
MAX_DEPTH = 32

# A context of our own: the constructor Decimal(text) turns bad text into NaN where the user's context does not trap,
# and takes "1_0" and " 1"; this one traps, keeps every digit, and refuses both.
decimal_from_text = Context(
    prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[InvalidOperation]
).create_decimal


class Unreadable(Exception):
    """The fast path cannot read this; never leaves the package."""


def from_attribute_value(value: Mapping[str, Any]) -> Any:
    """Read one AttributeValue, of either wire, without a model.

    Args:
        value: One tag and its value: ``{"S": "x"}``, ``{"M": {"w": {"N": "1"}}}``.

    Returns:
        ``str``, ``Decimal``, ``bytes``, ``bool``, ``None``, ``list``, ``dict`` or ``set``.

    Raises:
        DecodeError: It is no AttributeValue; ``path``, ``expected`` and ``found`` say where and why.
    """
    try:
        return _read(value, 0)
    except Exception:  # the slow reader decides what it was
        pass
    return guarded(read_slowly, value)


def read_map(item: Mapping[str, Any]) -> dict[str, Any]:
    """Read an item (or an ``M``'s map) without a model; raises as ``from_attribute_value``."""
    try:
        return {name: _read(value, 0) for name, value in item.items()}
    except Exception:
        pass
    return guarded(read_map_slowly, item)


def _read(value: Any, depth: int) -> Any:
    found: Any
    if len(value) != 1:
        raise Unreadable
    if "S" in value:
        found = value["S"]
        if type(found) is str:
            return found
    elif "N" in value:
        found = decimal_from_text(value["N"])
        if found.is_finite() and type(value["N"]) is str:
            return found
    elif "M" in value:
        if depth < MAX_DEPTH:
            depth += 1
            return {name: _read(inner, depth) for name, inner in value["M"].items()}
    elif "BOOL" in value:
        found = value["BOOL"]
        if found is True or found is False:
            return found
    elif "L" in value:
        found = value["L"]
        if type(found) is list and depth < MAX_DEPTH:
            depth += 1
            return [_read(inner, depth) for inner in found]
    elif "NULL" in value:
        if type(value["NULL"]) is bool:
            return None
    elif "B" in value:
        return read_binary(value["B"])
    elif "SS" in value:
        members = value["SS"]
        if type(members) is list:
            found = set(members)
            if all([type(member) is str for member in found]):
                return found
    elif "NS" in value:
        members = value["NS"]
        if type(members) is list and all([type(member) is str for member in members]):
            found = set(map(decimal_from_text, members))
            if all([member.is_finite() for member in found]):
                return found
    elif "BS" in value:
        members = value["BS"]
        if type(members) is list:
            return set(map(read_binary, members))
    raise Unreadable


# --- what every reader shares -------------------------------------------------------------------


def read_binary(payload: Any) -> bytes:
    """Bytes of a ``B``: bytes of any kind, boto3's ``Binary``, or padded base64 text; else raises ValueError."""
    if type(payload) is bytes:
        return payload
    if isinstance(payload, str):
        return base64_to_bytes(payload)
    if isinstance(payload, (bytes, bytearray, memoryview)):
        return bytes(payload)
    # boto3.dynamodb.types.Binary, known by its shape: boto3 is never imported here
    inner = getattr(payload, "value", None)
    if type(payload).__name__ == "Binary" and isinstance(inner, (bytes, bytearray)):
        return bytes(inner)
    raise ValueError("neither bytes nor base64 text")


def base64_to_bytes(text: str) -> bytes:
    """Decode base64 as AWS writes it: the standard alphabet, padded, nothing else; else raises ValueError."""
    decoded = a2b_base64(text)
    # a2b_base64 skips what is not in the alphabet, and its strict mode is 3.11's: the way back is the check
    if b2a_base64(decoded, newline=False) != text.encode("ascii"):
        raise Base64Error("not canonical base64")
    return decoded


def bytes_to_base64(value: bytes) -> str:
    """Encode as AWS writes ``B`` in JSON."""
    return b2a_base64(value, newline=False).decode("ascii")


def number_from_wire(payload: Any) -> Decimal:
    """Read the payload of an ``N``: text, or a number that lost its quotes in hand-edited JSON; else ValueError."""
    if isinstance(payload, str):
        try:
            number = decimal_from_text(payload)
        except InvalidOperation:
            raise ValueError("no number") from None
    elif isinstance(payload, bool):
        raise ValueError("no number")
    elif isinstance(payload, (int, Decimal)):
        number = Decimal(payload)
    elif isinstance(payload, float):
        number = Decimal(repr(payload))
    else:
        raise ValueError("no number")
    if not number.is_finite():
        raise ValueError("no number")
    return number


def guarded(reader: Any, value: Any) -> Any:
    """Call a slow reader on outside data: whatever goes wrong inside it is a DecodeError, without the value."""
    problem = "unreadable"
    try:
        return reader(value, ())
    except DDBStreamError:
        raise
    except RecursionError:
        problem = f"nested deeper than DynamoDB's {MAX_DEPTH} levels"
    except Exception as error:  # a Mapping of the caller's own may raise anything
        problem = f"unreadable ({type(error).__name__})"
    raise DecodeError(problem, expected="an item", found=type(value).__name__)


def path_text(path: tuple[str | int, ...]) -> str | None:
    """Spell a path as a DynamoDB document path: ``dims.w``, ``tags[2]``; None for the root."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text or None


def fault(path: tuple[str | int, ...], expected: str, found: str) -> DecodeError:
    """Make the usual DecodeError: ``expected N, got S at dims.w``."""
    return DecodeError(path=path_text(path), expected=expected, found=found)


def tag_of(value: Any, path: tuple[str | int, ...], expected: str = "an attribute value") -> str:
    """The one tag of an AttributeValue; raises DecodeError if there is not exactly one, or it is unknown."""
    if not isinstance(value, Mapping):
        raise fault(path, expected, kind_of(value))
    if len(value) != 1:
        known = sorted(tag for tag in value if isinstance(tag, str) and tag in TAGS)
        words = "no tag" if not value else f"{len(value)} tags"
        raise fault(path, expected, f"{words} ({', '.join(known)})" if known else words)
    tag = next(iter(value))
    if isinstance(tag, str) and tag in TAGS:
        return tag
    raise fault(path, expected, "an unknown tag")


def kind_of(value: Any) -> str:
    """How an error names what is no AttributeValue: its Python type."""
    return "nothing" if value is None else f"Python {type(value).__name__}"


def tag_words(value: Any) -> str:
    """How an error names an AttributeValue: its tag; never raises."""
    try:
        return tag_of(value, ())
    except DecodeError as error:
        return error.found or "something else"


# --- the slow reader ----------------------------------------------------------------------------


def read_map_slowly(item: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
    """Read an item with a path; raises DecodeError."""
    if not isinstance(item, Mapping):
        raise fault(path, "an item (a map of attribute values)", kind_of(item))
    return {name: read_slowly(item[name], (*path, attribute_name(name, path))) for name in item}


def attribute_name(name: Any, path: tuple[str | int, ...]) -> str:
    """Check that a map's key is text; raises DecodeError."""
    if isinstance(name, str):
        return name
    raise fault(path, "text as attribute names", kind_of(name))


def read_slowly(value: Any, path: tuple[str | int, ...]) -> Any:
    """Read one AttributeValue tolerantly; raises DecodeError that knows the path."""
    tag = tag_of(value, path)
    payload = value[tag]
    if len(path) > MAX_DEPTH + 1:
        raise fault(path, f"at most {MAX_DEPTH} levels", "more")
    if tag == "M":
        if not isinstance(payload, Mapping):
            raise fault(path, "a map in M", kind_of(payload))
        return read_map_slowly(payload, path)
    if tag in ("L", "SS", "NS", "BS"):
        members = list_payload(tag, payload, path)
        if tag == "L":
            return [read_slowly(inner, (*path, index)) for index, inner in enumerate(members)]
        return {
            read_scalar(tag[0], member, (*path, index)) for index, member in enumerate(members)
        }
    return read_scalar(tag, payload, path)


def list_payload(tag: str, payload: Any, path: tuple[str | int, ...]) -> list[Any]:
    """The members of an ``L``, ``SS``, ``NS`` or ``BS``; raises DecodeError."""
    if isinstance(payload, (list, tuple)) or (
        tag != "L" and isinstance(payload, (set, frozenset))
    ):
        return list(payload)
    raise fault(path, f"a list in {tag}", kind_of(payload))


def read_scalar(tag: str, payload: Any, path: tuple[str | int, ...]) -> Any:
    """The Python value of an ``S``, ``N``, ``B``, ``BOOL`` or ``NULL``; raises DecodeError."""
    if tag == "S":
        if isinstance(payload, str):
            return str.__str__(payload)
        raise fault(path, "text in S", kind_of(payload))
    if tag == "BOOL":
        if isinstance(payload, bool):
            return payload
        raise fault(path, "true or false in BOOL", kind_of(payload))
    if tag == "NULL":
        if isinstance(payload, bool):
            return None
        raise fault(path, "true in NULL", kind_of(payload))
    words, reader = (
        ("a number in N", number_from_wire)
        if tag == "N"
        else ("bytes or base64 text in B", read_binary)
    )
    try:
        return reader(payload)
    except ValueError:
        found = "malformed text" if isinstance(payload, str) else kind_of(payload)
    raise fault(path, words, found)


# --- writing ------------------------------------------------------------------------------------


def to_attribute_value(value: Any, *, wire: Wire = "boto3") -> AttributeValue:
    """Write one Python value as an AttributeValue, without a model.

    Args:
        value: ``None``, ``bool``, ``int``, ``float``, ``Decimal``, ``str``, bytes of any kind, a list, tuple or
            mapping of these, or a set of all text, all numbers or all bytes. Model instances are written by their model.
        wire: ``"boto3"`` leaves binaries as bytes, ``"json"`` writes them as base64 text.

    Raises:
        EncodeError: DynamoDB has no place for it: another type, a number out of range, NaN, an empty or mixed
            set, a map key that is no text, or more than 32 levels.
    """
    if wire not in ("boto3", "json"):
        raise EncodeError('wire is "boto3" or "json"')
    try:
        return write(value, wire == "json", 0)  # type: ignore[return-value]
    except RecursionError:
        pass
    raise EncodeError(expected=f"at most {MAX_DEPTH} levels", found="more")


def write(value: Any, json: bool, depth: int) -> dict[str, Any]:
    """Write a value at a depth; raises EncodeError whose path is relative to the value."""
    if value is None:
        return {"NULL": True}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, str):
        return {"S": str.__str__(value)}
    if isinstance(value, (int, float, Decimal)):
        return {"N": number_to_wire(value)}
    if is_binary(value):
        return {"B": binary_to_wire(value, json)}
    if isinstance(value, (set, frozenset)):
        return write_set(value, json)
    if depth >= MAX_DEPTH and isinstance(value, (list, tuple, Mapping)):
        raise EncodeError(expected=f"at most {MAX_DEPTH} levels", found="more")
    if isinstance(value, Mapping):
        return {"M": write_map(value, json, depth + 1)}
    if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
        return {"L": [_write_at(index, inner, json, depth + 1) for index, inner in enumerate(value)]}
    from ._model import codec_of_instance

    codec = codec_of_instance(value)
    if codec is None:
        raise EncodeError(expected="a value DynamoDB has a type for", found=type(value).__name__)
    return codec.write(value, json)


def write_map(value: Mapping[Any, Any], json: bool, depth: int) -> dict[str, Any]:
    """Write a mapping's members; raises EncodeError."""
    for name in value:
        if not isinstance(name, str):
            raise EncodeError(expected="text as attribute names", found=type(name).__name__)
    return {
        str.__str__(name): _write_at(name, inner, json, depth) for name, inner in value.items()
    }


def _write_at(part: str | int, value: Any, json: bool, depth: int) -> dict[str, Any]:
    try:
        return write(value, json, depth)
    except EncodeError as error:
        error.located(path_text((part,)))
        raise


def is_binary(value: Any) -> bool:
    """Whether a Python value is bytes of any kind, boto3's ``Binary`` included."""
    return isinstance(value, (bytes, bytearray, memoryview)) or (
        type(value).__name__ == "Binary" and isinstance(getattr(value, "value", None), (bytes, bytearray))
    )


def binary_to_wire(value: Any, json: bool) -> bytes | str:
    """The payload of a ``B``."""
    raw = read_binary(value)
    return bytes_to_base64(raw) if json else raw


def write_set(value: Any, json: bool) -> dict[str, Any]:
    """Write a set of all text, all numbers or all bytes; raises EncodeError."""
    members = list(value)
    if not members:
        raise EncodeError(expected="a set with members (DynamoDB stores no empty set)", found="an empty set")
    if all(isinstance(member, str) for member in members):
        return {"SS": [str.__str__(member) for member in members]}
    if all(isinstance(m, (int, float, Decimal)) and not isinstance(m, bool) for m in members):
        return {"NS": [number_to_wire(member) for member in members]}
    if all(is_binary(member) for member in members):
        return {"BS": [binary_to_wire(member, json) for member in members]}
    found = ", ".join(sorted({type(member).__name__ for member in members}))
    raise EncodeError(expected="a set of all text, all numbers or all bytes", found=f"a set of {found}")


def number_to_wire(value: int | float | Decimal) -> str:
    """Write a number as DynamoDB takes it.

    AWS, "Naming rules and data types, Number": 38 significant digits, magnitude 1E-130 to 9.99…E+125.

    Raises:
        EncodeError: Not finite, out of that range, or of more digits.
    """
    if type(value) is int and -(10**17) < value < 10**17:
        return str(value)
    if isinstance(value, int):
        if not -(10**126) < value < 10**126:
            raise EncodeError(expected="a number below 1E+126", found="a larger one")
        number = Decimal(int(value))
    elif isinstance(value, float):
        number = Decimal(float.__repr__(value))
    else:
        number = value
    if not number.is_finite():
        raise EncodeError(expected="a finite number", found="NaN or Infinity")
    sign, digits, exponent = number.as_tuple()
    if not number:
        return "-0" if sign else "0"
    text = "".join(map(str, digits))
    if len(text.strip("0")) > 38:
        raise EncodeError(expected="at most 38 significant digits", found="more")
    if not -130 <= number.adjusted() <= 125:
        raise EncodeError(expected="a magnitude from 1E-130 to 9.99E+125", found="a number out of range")
    if isinstance(value, float):
        return float.__repr__(value)
    if len(digits) > 38 and not isinstance(value, int):
        # zeros at the ends are no digits to DynamoDB, but it counts them in long text
        kept = text.rstrip("0")
        return str(Decimal((sign, tuple(map(int, kept.lstrip("0"))), int(exponent) + len(text) - len(kept))))
    return str(value) if isinstance(value, int) else str(number)
