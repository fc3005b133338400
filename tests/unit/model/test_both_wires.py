"""Binaries are base64 text on the JSON wire wherever they are, and depth is counted everywhere."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Generic, Literal

import pytest
from typing_extensions import TypedDict, TypeVar

from ddbstream import Attribute, from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError
from ddbstream.models import model
from tests.support.errors import too_deep
from tests.support.products import holding
from tests.unit.model.reading import quickly, slowly

T = TypeVar("T", default=bytes)


class Blob:
    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Blob) and other.raw == self.raw

    __hash__ = None  # type: ignore[assignment]


def raw_of(blob: Blob) -> bytes:
    return blob.raw


@dataclass
class Inner:
    raw: bytes


@dataclass
class Box(Generic[T]):
    content: T


class Closed(TypedDict, closed=True):  # type: ignore[call-arg]
    raw: bytes


@model(collect="rest")
@dataclass
class Everything:
    anything: Any
    converted: Annotated[Blob, Attribute(structure=Blob, unstructure=raw_of)]
    inner: Inner
    either: bytes | str
    boxed: Box
    literals: set[Literal[b"ab", b"cd"]]
    pair: tuple[bytes, int]
    closed: Closed
    by_raw: dict[bytes, bytes]
    rest: dict[str, Any] = field(default_factory=dict)


THING = Everything(
    anything=[b"ab", {"x": {b"ab"}}, None, True],
    converted=Blob(b"ab"),
    inner=Inner(b"ab"),
    either=b"ab",
    boxed=Box(b"ab"),
    literals={b"ab"},
    pair=(b"ab", 1),
    closed={"raw": b"ab"},
    by_raw={b"ab": b"ab"},
    rest={"more": [b"ab"]},
)


def binaries(value: Any) -> set[Any]:
    if isinstance(value, dict):
        found = {value["B"]} if "B" in value else set(value.get("BS", ()))
        for member in value.values():
            found |= binaries(member)
        return found
    return set().union(*map(binaries, value)) if isinstance(value, list) else set()


def test_every_binary_is_of_the_wire_asked_for() -> None:
    assert binaries(to_item(THING)) == {b"ab"}
    assert binaries(to_item(THING, wire="json")) == {"YWI="}
    plain = {"a": THING, "b": [Inner(b"ab")], "c": b"ab"}
    assert binaries(to_item(plain)) == {b"ab"}
    assert binaries(to_item(plain, wire="json")) == {"YWI="}
    for wire in ("boto3", "json"):
        assert from_item(to_item(THING, wire=wire), Everything) == THING  # type: ignore[arg-type]


def test_a_type_variables_default_stands_for_it() -> None:
    with pytest.raises(DecodeError, match="expected B, got N at content"):
        from_item({"content": {"N": "1"}}, Box)


def test_a_closed_typed_dict_forbids_unknown_attributes() -> None:
    with pytest.raises(DecodeError, match="besides those of Closed"):
        from_item({"raw": {"B": b"ab"}, "x": {"N": "1"}}, Closed)


def test_what_no_model_knows_is_refused_where_it_is() -> None:
    for obj, path in (
        ({"a": [object()]}, "a[0]"),
        ({"a": Box(object())}, "a.content"),  # type: ignore[arg-type]
    ):
        with pytest.raises(EncodeError) as caught:
            to_item(obj)
        assert caught.value.path == path
        assert caught.value.found == "object"
    with pytest.raises(EncodeError, match="expected a value DynamoDB has a type for, got object"):
        to_item({"a": object()})


@pytest.mark.parametrize("where", ["anything", "rest"])
def test_depth_is_counted_through_models(where: str) -> None:
    def nested(levels: int) -> Everything:
        value: Any = "x"
        for _ in range(levels):
            value = [value]
        changed = {"anything": value} if where == "anything" else {"rest": {"a": value}}
        return Everything(**{**vars(THING), **changed})

    item: Any = to_item(nested(32))
    assert from_item(item, Everything) == nested(32)
    with too_deep(EncodeError):
        to_item(nested(33))
    name = "anything" if where == "anything" else "a"
    deeper = {**item, name: {"L": [item[name]]}}
    with too_deep(DecodeError):
        from_item(deeper, Everything)


@dataclass
class Raw:
    raw: bytes
    kind: Literal["raw"] = "raw"


@dataclass
class Text:
    kind: Literal["text"] = "text"


@pytest.mark.parametrize(
    ("kind", "value", "inside"),
    [
        (list[bytes], [b"ab"], {"L": [{"B": "YWI="}]}),
        (bytes | None, b"ab", {"B": "YWI="}),
        (Raw | Text, Raw(b"ab"), {"M": {"raw": {"B": "YWI="}, "kind": {"S": "raw"}}}),
        (set[Literal[b"ab"]], {b"ab"}, {"BS": ["YWI="]}),
    ],
)
def test_the_json_wire_reaches_every_part(kind: Any, value: Any, inside: Any) -> None:
    model = holding(kind)
    assert to_item(model(value), wire="json") == {"a": inside}
    assert quickly({"a": inside}, model) == slowly({"a": inside}, model) == model(value)
