"""Each feature of pydantic's: honoured, refused when bound, or left to the user."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal, Optional, Union
from uuid import UUID

import pytest
from typing_extensions import TypedDict

from ddbstream import Attribute, Epoch, from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import model as ddbstream_model
from tests.unit.model.reading import codec_for, quickly, slowly

pydantic = pytest.importorskip("pydantic")

import pydantic.dataclasses  # noqa: E402, F811


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1


class Mixed(Enum):
    ONE = 1
    TWO = "two"


class Plain:
    """A class that pydantic knows nothing of."""


def model(annotation: Any, **config: Any) -> Any:
    return pydantic.create_model(
        "Model", __config__=pydantic.ConfigDict(**config), a=(annotation, ...)
    )


def round_trips(obj: Any) -> dict[str, Any]:
    item = to_item(obj, wire="json")
    assert quickly(item, type(obj)) == slowly(item, type(obj)) == obj
    return item  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (pydantic.HttpUrl, "https://a.example/"),
        (Optional[pydantic.HttpUrl], None),  # noqa: UP045 - made at run time
        (set[IPv4Address], {"127.0.0.1"}),
        (dict[IPv4Address, list[pydantic.HttpUrl]], {"127.0.0.1": ["https://a.example/"]}),
        (Union[IPv4Address, int], "127.0.0.1"),  # noqa: UP007
        (Union[IPv4Address, int], 5),  # noqa: UP007
        (PurePosixPath, "/a/b"),
        (pydantic.ByteSize, 1024),
        (pydantic.SecretStr, "x"),
        (pydantic.RootModel[list[pydantic.HttpUrl]], ["https://a.example/"]),
        (pydantic.UUID4, UUID("12345678-1234-4678-8234-567812345678")),
        (pydantic.PastDate, "2001-01-01"),
    ],
)
def test_kinds_that_only_pydantic_knows_are_honoured(annotation: Any, value: Any) -> None:
    round_trips(model(annotation)(a=value))


@pytest.mark.parametrize(
    "annotation",
    [
        Union[float, Decimal],  # noqa: UP007
        Union[str, UUID],  # noqa: UP007
        Union[str, datetime],  # noqa: UP007
        Union[str, pydantic.HttpUrl],  # noqa: UP007
        set[Union[str, UUID]],  # noqa: UP007
        set[bool],
        pydantic.Json[list[int]],
        list[pydantic.Json],
        pydantic.Base64Bytes,
        pydantic.Base64Str,
        pydantic.Secret[int],
    ],
)
def test_what_a_dataclass_refuses_and_what_does_not_come_back_is_refused_when_bound(
    annotation: Any,
) -> None:
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(model(annotation))
    assert (caught.value.path or "").startswith("a")


class Moment(pydantic.RootModel[Annotated[datetime, Epoch("s")]]):
    """Marks of the root are marks."""


class Turned(pydantic.RootModel[Any]):
    root: Annotated[
        str, Attribute(structure=lambda text: text[::-1], unstructure=lambda text: text[::-1])
    ]


class Encoded(pydantic.RootModel[Any]):
    root: pydantic.Base64Str


def test_a_root_models_marks_are_those_of_any_field() -> None:
    at = datetime(2026, 11, 26, tzinfo=timezone.utc)
    cls = model(Moment)
    assert round_trips(cls(a=Moment(at))) == {"a": {"N": "1795651200"}}
    assert round_trips(model(Turned)(a=Turned("ab"))) == {"a": {"S": "ba"}}
    for refused in (pydantic.RootModel[pydantic.Json[int]], Encoded):
        with pytest.raises(
            ModelDefinitionError, match=r"reads what it does not keep.* is stored"
        ) as caught:
            codec_for(model(refused))
        assert caught.value.path == "a"


def test_what_is_read_once_is_refused_when_it_is_written() -> None:
    obj = model(Iterable[int])(a=[1])
    with pytest.raises(EncodeError, match="expected Iterable, got ValidatorIterator at a"):
        to_item(obj)
    assert list(obj.a) == [1]


def test_arbitrary_types_need_conversions() -> None:
    with pytest.raises(ModelDefinitionError, match="Plain has no place in DynamoDB"):
        codec_for(model(Plain, arbitrary_types_allowed=True))


def test_the_error_of_what_cannot_be_written_holds_no_value() -> None:
    class Fragile:
        @classmethod
        def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
            core = pydantic.TypeAdapter(str).core_schema

            def fail(value: Any) -> str:
                raise ValueError("secret")

            return {**core, "serialization": {"type": "function-plain", "function": fail}}

    cls = model(Fragile)
    with pytest.raises(EncodeError) as caught:
        to_item(cls(a="secret"))
    assert "secret" not in str(caught.value)
    assert caught.value.path == "a"


@pytest.mark.parametrize(
    ("annotation", "value", "words"),
    [
        (
            pydantic.HttpUrl,
            "https://secret.example/",
            "the HttpUrl would not be read back as it is",
        ),
        (pydantic.ByteSize, 5, "the ByteSize would not be read back as it is"),
        (pydantic.SecretStr, "secret", "expected SecretStr, got str"),
    ],
)
def test_what_got_past_pydantic_is_refused_without_a_warning_that_prints_it(
    annotation: Any, value: Any, words: str, recwarn: pytest.WarningsRecorder
) -> None:
    with pytest.raises(EncodeError, match=words) as caught:
        to_item(model(annotation).model_construct(a=value))
    assert "secret" not in str(caught.value)
    assert not recwarn.list


def test_enums_kept_by_value_are_read_and_written_by_value() -> None:
    for annotation, value in (
        (Colour, "red"),
        (list[Colour], ["red", "blue"]),
        (dict[Colour, int], {"red": 1}),
        (Union[Colour, int], "red"),  # noqa: UP007
        (Level, 1),
        (Mixed, "two"),
        (list[Mixed], [1, "two"]),
    ):
        made = model(annotation, use_enum_values=True)(a=value)
        round_trips(made)
        with pytest.raises((DecodeError, EncodeError)):
            from_item({"a": {"S": "no such"}}, type(made))

    with pytest.raises(ModelDefinitionError, match="use_enum_values"):
        codec_for(model(Literal[Colour.RED], use_enum_values=True))

    class Defaulted(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(use_enum_values=True)
        a: Colour = Colour.RED

    with pytest.raises(EncodeError):  # it would be read back as the value
        to_item(Defaulted())
    round_trips(Defaulted(a=Colour.RED))


def test_aliases_for_validation_round_trip() -> None:
    class Model(pydantic.BaseModel):
        a: int = pydantic.Field(validation_alias="A")
        b: int = pydantic.Field(validation_alias=pydantic.AliasChoices("B", "BB"))
        c: int = pydantic.Field(validation_alias=pydantic.AliasPath("c", 0))

    made = Model.model_validate({"A": 1, "BB": 2, "c": [3]})
    assert round_trips(made) == {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "3"}}

    @pydantic.dataclasses.dataclass
    class Data:
        b: int = pydantic.Field(validation_alias=pydantic.AliasChoices("B", "BB"))

    round_trips(Data(BB=2))  # type: ignore[call-arg]

    @pydantic.dataclasses.dataclass
    class Path:
        c: int = pydantic.Field(validation_alias=pydantic.AliasPath("c", 0))

    with pytest.raises(ModelDefinitionError, match=r"^an AliasPath is no .*") as caught:
        codec_for(Path)
    assert caught.value.path == "c"


def test_an_attribute_with_a_fields_name_is_not_swallowed() -> None:
    class Model(pydantic.BaseModel, extra="allow"):
        a: int = pydantic.Field(alias="A")

    assert from_item({"A": {"N": "1"}, "b": {"N": "2"}}, Model).model_extra == {"b": 2}
    with pytest.raises(DecodeError, match=r"a field's name of Model, got one at a"):
        from_item({"A": {"N": "1"}, "a": {"N": "2"}}, Model)


def test_a_field_that_collects_takes_an_attribute_with_a_fields_name() -> None:
    @ddbstream_model(collect="rest")
    class Model(pydantic.BaseModel):
        a: int = pydantic.Field(alias="A")
        rest: dict[str, Any] = {}

    item = {"A": {"N": "1"}, "a": {"S": "x"}}
    assert quickly(item, Model).rest == slowly(item, Model).rest == {"a": "x"}
    assert to_item(from_item(item, Model)) == item


def test_what_pydantic_leaves_out_of_its_dumps_is_stored_all_the_same() -> None:
    class Model(pydantic.BaseModel):
        a: int = pydantic.Field(exclude=True)
        b: int = 1

        @pydantic.field_serializer("b")
        def _text(self, value: int) -> str:
            return str(value)

        @pydantic.computed_field  # type: ignore[prop-decorator]
        @property
        def c(self) -> int:
            return 1

    assert round_trips(Model(a=1)) == {"a": {"N": "1"}, "b": {"N": "1"}}


class Extras(pydantic.BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, UUID]
    a: int


def test_extras_are_what_the_class_says_they_are() -> None:
    obj = Extras(a=1, b=UUID(int=1))
    assert round_trips(obj)["b"] == {"S": str(UUID(int=1))}
    with pytest.raises(DecodeError, match="got malformed S at b"):
        from_item({"a": {"N": "1"}, "b": {"S": "x"}}, Extras)


class Maybe(pydantic.RootModel[Optional[int]]):  # noqa: UP045 - made at run time
    pass


def test_a_root_of_none_beside_none_is_refused_when_bound() -> None:
    assert round_trips(model(Maybe)(a=Maybe(None))) == {"a": {"NULL": True}}
    for kind in (Optional[Maybe], list[Union[Maybe, str, None]]):  # noqa: UP007, UP045
        with pytest.raises(ModelDefinitionError, match="a member and None are both NULL"):
            codec_for(model(kind))
    assert codec_for(model(Optional[pydantic.RootModel[Any]]))  # noqa: UP045


def test_a_plain_member_where_values_are_kept_is_refused_in_words() -> None:
    obj = model(Colour, use_enum_values=True).model_construct(a=Colour.RED)
    with pytest.raises(EncodeError, match=r"the value of a member .* got the member itself"):
        to_item(obj)


Large = Annotated[int, pydantic.Field(gt=10)]


class Size(TypedDict):
    w: Annotated[Large, Attribute("the w")]


class Constrained(pydantic.BaseModel):
    numbers: dict[int, list[Large]] = pydantic.Field({}, serialization_alias="Numbers")
    colours: dict[Colour, Large] = {}
    names: set[Annotated[str, pydantic.Field(min_length=3)]] = set()
    keys: dict[Large, int] = {}
    either: Large | str = ""
    pair: tuple[int, Large] | None = None
    sizes: list[Size] = []


@pytest.mark.parametrize(
    ("item", "path"),
    [
        ({"Numbers": {"M": {"5": {"L": [{"N": "11"}, {"N": "3"}]}}}}, "Numbers.5[1]"),
        ({"colours": {"M": {"red": {"N": "3"}}}}, "colours"),
        ({"names": {"SS": ["abc", "x"]}}, "names"),
        ({"keys": {"M": {"3": {"N": "1"}}}}, "keys.3"),
        ({"either": {"N": "3"}}, "either"),
        ({"pair": {"L": [{"N": "3"}, {"N": "3"}]}}, "pair[1]"),
        ({"sizes": {"L": [{"M": {"the w": {"N": "3"}}}]}}, 'sizes[0]."the w"'),
    ],
)
def test_a_constraints_error_is_at_a_place_of_the_item(item: Any, path: str) -> None:
    with pytest.raises(DecodeError, match="a value that Constrained accepts") as caught:
        from_item(item, Constrained)
    assert caught.value.path == path
