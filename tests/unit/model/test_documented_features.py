"""Each row of the table of features in ``docs/models.md`` says what is so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

import pytest
from typing_extensions import TypedDict

from ddbstream import diff, from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from tests.unit.model.reading import codec_for, round_trips

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

DOCUMENT = (Path(__file__).parents[3] / "docs" / "models.md").read_text("utf-8")
TABLE = DOCUMENT.partition("| feature | |\n| --- | --- |\n")[2].partition("\n\n")[0]
#: What the table calls a feature, and what it says of it.
ROWS = dict(
    tuple(cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|")))
    for line in TABLE.splitlines()
)
TESTS: dict[str, Callable[[str], None]] = {}


class Colour(Enum):
    RED = "red"


class Stranger:
    pass


def row(start: str) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """The test of the row that starts so; it gets what the row says."""

    def keep(test: Callable[[str], None]) -> Callable[[str], None]:
        TESTS[start] = test
        return test

    return keep


def refused(annotation: Any, **config: Any) -> None:
    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(**config)
        a: annotation

    with pytest.raises(ModelDefinitionError):
        codec_for(Model)


@pytest.mark.parametrize("start", ROWS)
def test_a_row_says_what_is_so(start: str) -> None:
    found = [test for beginning, test in TESTS.items() if start.startswith(beginning)]
    assert len(found) == 1, "a row without a test of its own"
    found[0](ROWS[start])


def test_each_test_has_a_row() -> None:
    assert len(ROWS) == len(TESTS) > 15


@row("pydantic: validators")
def validators(says: str) -> None:
    assert says.startswith("honoured")

    class Model(pydantic.BaseModel, frozen=True, strict=True):
        a: Annotated[str, pydantic.BeforeValidator(str.lower)] = "x"
        b: int = pydantic.Field(1, ge=1)
        c: list[int] = pydantic.Field(default_factory=list)
        d: int = pydantic.Field(default_factory=lambda data: data["b"] + 1)

    assert from_item({"a": {"S": "ABC"}}, Model) == Model(a="abc", b=1, d=2)
    round_trips(Model(a="q", b=5, c=[1]))
    with pytest.raises(DecodeError, match="at b"):
        from_item({"b": {"N": "0"}}, Model)


@row("pydantic: `alias`")
def aliases(says: str) -> None:
    assert says.startswith("honoured")

    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(alias_generator=str.upper, populate_by_name=True)
        a: int = pydantic.Field(alias="one")
        b: int = pydantic.Field(serialization_alias="two")
        c: int

    item = round_trips(Model(a=1, b=2, c=3))
    assert item.keys() == {"one", "two", "C"}


@row("pydantic: `validation_alias`")
def validation_aliases(says: str) -> None:
    assert says.startswith("not for items")

    class Model(pydantic.BaseModel):
        a: int = pydantic.Field(validation_alias="A")
        b: int = pydantic.Field(validation_alias=pydantic.AliasChoices("B", "BB"))
        c: int = pydantic.Field(validation_alias=pydantic.AliasPath("c", 0))

    assert round_trips(Model.model_validate({"A": 1, "BB": 2, "c": [3]})).keys() == {"a", "b", "c"}

    @pydantic.dataclasses.dataclass
    class Data:
        c: int = pydantic.Field(validation_alias=pydantic.AliasPath("c", 0))

    with pytest.raises(ModelDefinitionError, match="AliasPath"):
        codec_for(Data)


@row("pydantic: `extra`")
def extra(says: str) -> None:
    assert says.startswith("honoured")

    class Allowed(pydantic.BaseModel, extra="allow"):
        a: int = pydantic.Field(alias="A")

    class Forbidden(pydantic.BaseModel, extra="forbid"):
        a: int

    class Ignored(pydantic.BaseModel):
        a: int

    assert round_trips(Allowed(A=1, b="x")) == {"A": {"N": "1"}, "b": {"S": "x"}}
    with pytest.raises(DecodeError, match="a field's name"):
        from_item({"A": {"N": "1"}, "a": {"N": "2"}}, Allowed)
    with pytest.raises(DecodeError, match="at b"):
        from_item({"a": {"N": "1"}, "b": {"N": "2"}}, Forbidden)
    assert from_item({"a": {"N": "1"}, "b": {"N": "2"}}, Ignored) == Ignored(a=1)
    with pytest.raises(EncodeError, match="the name of a field's at a"):
        to_item(Allowed(A=1, a=2))

    @pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="allow"))
    class Data:
        a: int

    assert "ignores them" in says
    assert from_item({"a": {"N": "1"}, "b": {"N": "2"}}, Data) == Data(a=1)


@row("pydantic: URLs")
def kinds(says: str) -> None:
    assert says.startswith("honoured")

    class Model(pydantic.BaseModel):
        a: pydantic.HttpUrl
        b: list[pydantic.IPvAnyAddress]
        c: Path | int | None
        d: dict[str, pydantic.ByteSize]

    made = Model(a="https://a.b/", b=["1.2.3.4"], c=Path("/a"), d={"x": "1kb"})
    assert round_trips(made)["a"] == {"S": "https://a.b/"}


@row("pydantic: `SecretStr`")
def secrets(says: str) -> None:
    assert says.startswith("honoured: stored as what they hide")

    class Model(pydantic.BaseModel):
        a: pydantic.SecretStr
        b: pydantic.SecretBytes

    made = Model(a="hushed", b=b"raw")
    assert round_trips(made) == {"a": {"S": "hushed"}, "b": {"B": b"raw"}}
    change = diff(made, Model(a="other", b=b"raw"), redact="a")
    assert "hushed" not in str(change.to_dict())


@row("pydantic: `use_enum_values`")
def enum_values(says: str) -> None:
    assert says.startswith("honoured")

    class Model(pydantic.BaseModel, use_enum_values=True):
        a: Colour = Colour.RED

    assert from_item(round_trips(Model(a="red")), Model).a == "red"
    with pytest.raises(EncodeError):
        to_item(Model())
    refused(Literal[Colour.RED], use_enum_values=True)


@row("pydantic: `Json`")
def encodings(says: str) -> None:
    assert says.startswith("refused")
    for annotation in (
        pydantic.Json[Any],
        pydantic.Base64Bytes,
        pydantic.Base64Str,
        pydantic.Secret[int],
    ):
        refused(annotation)


@row("pydantic: `arbitrary_types_allowed`")
def arbitrary_types(says: str) -> None:
    assert says.startswith("refused")
    refused(Stranger, arbitrary_types_allowed=True)


@row("pydantic: unions")
def unions(says: str) -> None:
    assert says.startswith("refused")
    refused(str | UUID)
    refused(float | Decimal)


@row("pydantic: `exclude`")
def left_out(says: str) -> None:
    assert says.startswith("left to you")

    class Model(pydantic.BaseModel):
        a: int = pydantic.Field(exclude=True)
        b: Annotated[int, pydantic.PlainSerializer(str)] = 1
        _c: int = pydantic.PrivateAttr(default=5)

        @pydantic.computed_field  # type: ignore[prop-decorator]
        @property
        def d(self) -> int:
            return 1

    assert round_trips(Model(a=1)) == {"a": {"N": "1"}, "b": {"N": "1"}}


@row("attrs: `alias`")
def of_attrs(says: str) -> None:
    assert says == "honoured"

    @attrs.define
    class Model:
        a: int = attrs.field(alias="first", converter=abs, validator=attrs.validators.gt(1))
        _b: int = 3
        c: int = attrs.field(init=False, default=4)
        d: list[int] = attrs.field(factory=list)
        e: int = attrs.field(default=attrs.Factory(lambda self: self.a + 1, takes_self=True))

    made = Model(first=-2, b=4)
    made.c = 9
    assert round_trips(made).keys() == {"a", "_b", "c", "d", "e"}
    assert from_item({"a": {"N": "-5"}}, Model).e == 6
    with pytest.raises(DecodeError, match="at a"):
        from_item({"a": {"N": "0"}}, Model)


@row("attrs: fields without an annotation")
def unannotated(says: str) -> None:
    assert says == "refused"
    with pytest.raises(ModelDefinitionError, match="no annotation"):
        codec_for(attrs.make_class("Model", {"a": attrs.field()}))


@row("`TypedDict`")
def typed_dicts(says: str) -> None:
    assert says.startswith("honoured")
    extra: Any = TypedDict("extra", {"a": int}, extra_items=str)  # type: ignore[call-arg, misc]
    closed: Any = TypedDict("closed", {"a": int}, closed=True)  # type: ignore[call-arg, misc]
    plain: Any = TypedDict("plain", {"a": int})  # type: ignore[misc]
    assert round_trips({"a": 1, "b": "x"}, extra)["b"] == {"S": "x"}
    with pytest.raises(DecodeError, match="at b"):
        from_item({"a": {"N": "1"}, "b": {"S": "x"}}, closed)
    with pytest.raises(EncodeError, match="no items besides"):
        to_item({"a": 1, "b": "x"}, model=plain)


@row("msgspec: `rename`")
def of_msgspec(says: str) -> None:
    assert says == "honoured"

    class Model(
        msgspec.Struct,
        rename="camel",
        tag="m",
        tag_field="t",
        forbid_unknown_fields=True,
        kw_only=True,
    ):
        some_name: int
        other: int | msgspec.UnsetType = msgspec.UNSET

    assert round_trips(Model(some_name=1)) == {"t": {"S": "m"}, "someName": {"N": "1"}}
    round_trips(Model(some_name=1, other=2))
    for item in ({"t": {"S": "n"}, "someName": {"N": "1"}}, {"someName": {"N": "1"}}):
        with pytest.raises(DecodeError, match="the tag of Model"):
            from_item(item, Model)
    with pytest.raises(DecodeError, match="at x"):
        from_item({**to_item(Model(some_name=1)), "x": {"N": "1"}}, Model)


@row("msgspec: `Meta`")
def left_to_you(says: str) -> None:
    assert says.startswith("left to you")

    class Model(msgspec.Struct, omit_defaults=True, array_like=True):
        CONSTANT: ClassVar[int] = 1
        a: Annotated[int, msgspec.Meta(ge=5)] = 5
        b: Annotated[datetime, msgspec.Meta(tz=True)] = datetime(2026, 1, 1, tzinfo=timezone.utc)

    assert round_trips(Model()).keys() == {"a", "b"}
    assert from_item({"a": {"N": "1"}}, Model).a == 1
