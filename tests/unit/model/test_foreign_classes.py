"""pydantic, attrs and msgspec classes: the same rules and errors, and none of them imported."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

import pytest

from ddbstream import Attribute, Epoch, from_item, keys, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import model
from tests.unit.model.reading import codec_for, quickly, slowly

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

import pydantic.dataclasses  # noqa: E402, F811

T = TypeVar("T")
NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)


class Colour(Enum):
    RED = "red"


def round_trips(obj: Any, model: Any = None) -> dict[str, Any]:
    for wire in ("json", "boto3"):
        item = to_item(obj, wire=wire, model=model)  # type: ignore[arg-type]
        assert quickly(item, model or type(obj)) == obj
        assert slowly(item, model or type(obj)) == obj
    return item  # type: ignore[return-value]


class PydanticInner(pydantic.BaseModel):
    a: int
    b: set[str]


@keys(PK="P#{id}", SK="S")
class PydanticModel(pydantic.BaseModel):
    id: UUID
    price: Decimal
    inner: PydanticInner
    others: list[PydanticInner] = []
    colour: Colour = Colour.RED
    note: str | None
    renamed: Annotated[int, Attribute("Renamed")] = 3
    expires: Annotated[datetime, Epoch("s")] = NOW
    raw: bytes = b""
    tagged: Annotated[int, pydantic.Field(gt=0)] = 1


@keys(PK="P#{id}", SK="S")
@attrs.define
class AttrsModel:
    id: UUID
    price: Decimal
    inner: AttrsInner
    others: list[AttrsInner] = attrs.field(factory=list)
    colour: Colour = Colour.RED
    note: str | None = attrs.field(kw_only=True)
    renamed: Annotated[int, Attribute("Renamed")] = 3
    expires: Annotated[datetime, Epoch("s")] = NOW
    raw: bytes = b""


@attrs.frozen
class AttrsInner:
    a: int
    b: set[str]


class MsgspecInner(msgspec.Struct, frozen=True):
    a: int
    b: set[str]


@keys(PK="P#{id}", SK="S")
class MsgspecModel(msgspec.Struct):
    id: UUID
    price: Decimal
    inner: MsgspecInner
    note: str | None
    others: list[MsgspecInner] = []  # noqa: RUF012 - msgspec copies it
    colour: Colour = Colour.RED
    renamed: Annotated[int, Attribute("Renamed")] = 3
    expires: Annotated[datetime, Epoch("s")] = NOW
    raw: bytes = b""


PAIRS = [
    (PydanticModel, PydanticInner),
    (AttrsModel, AttrsInner),
    (MsgspecModel, MsgspecInner),
]


@pytest.mark.parametrize(("cls", "inner"), PAIRS)
def test_the_rules_are_those_of_dataclasses(cls: Any, inner: Any) -> None:
    obj = cls(
        id=UUID(int=1),
        price=Decimal("1.10"),
        inner=inner(a=1, b=set()),
        others=[inner(a=2, b={"x"})],
        note=None,
        raw=b"ab",
    )
    item = round_trips(obj)
    assert item["PK"] == {"S": f"P#{UUID(int=1)}"}
    assert item["price"] == {"N": "1.10"}
    assert item["inner"] == {"M": {"a": {"N": "1"}}}
    assert item["Renamed"] == {"N": "3"}
    assert item["expires"] == {"N": str(int(NOW.timestamp()))}
    del item["note"], item["others"], item["colour"]
    made = from_item(item, cls)
    assert (made.note, made.others, made.colour) == (None, [], Colour.RED)


@pytest.mark.parametrize(("cls", "inner"), PAIRS)
def test_the_errors_are_those_of_dataclasses(cls: Any, inner: Any) -> None:
    item = to_item(cls(id=UUID(int=1), price=Decimal(1), inner=inner(a=1, b=set()), note=None))
    for changes, text in (
        ({"price": {"S": "secret"}}, f"expected N, got S at price (model {cls.__name__})"),
        ({"inner": {"M": {}}}, f"expected N, got nothing at inner.a (model {cls.__name__})"),
        (
            {"PK": {"S": "secret"}},
            f"expected a key like P#{{id}}, got another at PK (model {cls.__name__})",
        ),
    ):
        with pytest.raises(DecodeError) as caught:
            from_item({**item, **changes}, cls)
        assert str(caught.value) == text
        assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_pydantic_validators_refusal_is_a_fault_at_its_field_without_the_value() -> None:
    class Model(pydantic.BaseModel):
        price: Annotated[int, pydantic.Field(gt=100)] = pydantic.Field(alias="thePrice")
        name: str

        @pydantic.field_validator("name")
        @classmethod
        def _check(cls, value: str) -> str:
            raise ValueError(f"secret {value}")

    with pytest.raises(DecodeError) as caught:
        from_item({"thePrice": {"N": "7"}, "name": {"S": "secret"}}, Model)
    assert [(single.path, single.found) for single in caught.value.errors] == [
        ("thePrice", "greater_than"),
        ("name", "value_error"),
    ]
    assert "secret" not in repr(vars(caught.value))


def test_pydantic_aliases_are_attribute_names() -> None:
    class Model(pydantic.BaseModel):
        one: int = pydantic.Field(alias="Uno")
        two: Annotated[int, Attribute("Zwei")] = pydantic.Field(alias="Dos")

    made = Model(Uno=1, Dos=2)  # type: ignore[call-arg]
    assert round_trips(made) == {"Uno": {"N": "1"}, "Zwei": {"N": "2"}}


def test_pydantic_extra_attributes() -> None:
    class Ignoring(pydantic.BaseModel):
        a: int

    class Forbidding(Ignoring, extra="forbid"):
        pass

    class Allowing(Ignoring, extra="allow"):
        pass

    item = {"a": {"N": "1"}, "b": {"L": [{"S": "x"}]}}
    assert from_item(item, Ignoring) == Ignoring(a=1)
    with pytest.raises(DecodeError, match="besides those of Forbidding"):
        from_item(item, Forbidding)
    made = from_item(item, Allowing)
    assert made.model_extra == {"b": ["x"]}
    assert round_trips(made) == item


def test_pydantic_kinds_that_only_pydantic_knows() -> None:
    class Model(pydantic.BaseModel):
        url: pydantic.HttpUrl
        maybe: pydantic.HttpUrl | None = None
        password: pydantic.SecretStr | None = None

    made = Model(
        url="https://a.example/x",  # type: ignore[arg-type]
        password="hidden",  # type: ignore[arg-type]
    )
    item = round_trips(made)
    assert item["url"] == {"S": "https://a.example/x"}
    assert item["password"] == {"S": "hidden"}

    class Masked(pydantic.BaseModel):
        passwords: list[pydantic.Secret[str]]

    with pytest.raises(ModelDefinitionError, match=r"Secret.* has no place") as caught:
        codec_for(Masked)
    assert caught.value.path == "passwords"


def test_pydantic_defaults_that_look_at_other_fields() -> None:
    class Model(pydantic.BaseModel):
        a: int
        b: int = pydantic.Field(default_factory=lambda data: data["a"] + 1)

    assert from_item({"a": {"N": "1"}}, Model).b == 2
    round_trips(Model(a=1, b=7))


def test_pydantic_empty_sets_are_left_out_and_defaults_not_shared() -> None:
    class Model(pydantic.BaseModel):
        a: set[str] = pydantic.Field(default_factory=set)
        b: set[str] = set()
        c: dict[str, Any] = {}

    assert round_trips(Model()) == {"c": {"M": {}}}
    one, two = from_item({}, Model), from_item({}, Model)
    one.c["x"] = 1
    one.b.add("x")
    assert two == Model()
    for read in (quickly, slowly):
        assert read({}, Model).model_fields_set == set()


def test_pydantic_root_models_generics_and_dataclasses() -> None:
    class Names(pydantic.RootModel[list[str]]):
        pass

    class Page(pydantic.BaseModel, Generic[T]):
        items: list[T]

    @pydantic.dataclasses.dataclass
    class Data:
        a: int = pydantic.Field(gt=0)
        b: list[int] = pydantic.Field(default_factory=list)
        names: Names = pydantic.Field(default_factory=lambda: Names([]))

    assert round_trips(Data(1, [2], Names(["x"])))["names"] == {"L": [{"S": "x"}]}
    round_trips(Page[int](items=[1]))
    with pytest.raises(DecodeError, match="greater_than"):
        from_item({"a": {"N": "0"}}, Data)


def test_pydantic_models_that_refer_to_themselves() -> None:
    class Node(pydantic.BaseModel):
        value: int
        next: Node | None = None

    Node.model_rebuild(_types_namespace={"Node": Node})
    round_trips(Node(value=1, next=Node(value=2)))


def test_attrs_defaults_private_names_and_fields_outside_the_constructor() -> None:
    @attrs.define
    class Model:
        _private: int
        doubled: int = attrs.Factory(lambda self: self._private * 2, takes_self=True)
        items: list[int] = attrs.Factory(list)
        count: int = attrs.field(init=False, default=7)

    made = from_item({"_private": {"N": "4"}}, Model)
    assert (made._private, made.doubled, made.items, made.count) == (4, 8, [], 7)
    assert from_item({"_private": {"N": "4"}}, Model).items is not made.items
    made.count = 9
    assert round_trips(made)["count"] == {"N": "9"}


def test_attrs_validators_and_converters_run() -> None:
    @attrs.define
    class Model:
        a: int = attrs.field(validator=attrs.validators.gt(0), converter=abs)

    assert from_item({"a": {"N": "-5"}}, Model).a == 5
    with pytest.raises(DecodeError, match=r"refused the value with ValueError .* at a"):
        from_item({"a": {"N": "0"}}, Model)


def test_an_attrs_field_without_an_annotation_is_refused() -> None:
    @attrs.define
    class Model:
        a = attrs.field()

    with pytest.raises(ModelDefinitionError, match="no annotation at a"):
        codec_for(Model)


def test_msgspec_renames_tags_unset_and_unknown_fields() -> None:
    class Cat(msgspec.Struct, rename="camel", tag=True, forbid_unknown_fields=True):
        lives_left: int
        name: str | msgspec.UnsetType = msgspec.UNSET
        more: list[int] = msgspec.field(default_factory=lambda: [1])

    class Dog(msgspec.Struct, tag=True, kw_only=True):
        a: int = 0
        b: str

    assert round_trips(Cat(9)) == {
        "type": {"S": "Cat"},
        "livesLeft": {"N": "9"},
        "more": {"L": [{"N": "1"}]},
    }
    round_trips(Cat(9, name="x"))
    round_trips(Dog(b="x"), Cat | Dog)
    round_trips(Cat(9), Cat | Dog)
    item = to_item(Cat(9))
    with pytest.raises(DecodeError, match="besides those of Cat, got one at b"):
        from_item({**item, "b": {"S": "x"}}, Cat)
    with pytest.raises(DecodeError, match="the tag of Cat, got another at type"):
        from_item({**item, "type": {"S": "Dog"}}, Cat)
    with pytest.raises(DecodeError, match="a tag of"):
        from_item({**item, "type": {"S": "Cow"}}, Cat | Dog)


def test_msgspec_int_tags_and_generics() -> None:
    class One(msgspec.Struct, tag=1, tag_field="v"):
        a: int

    class Two(msgspec.Struct, tag=2, tag_field="v"):
        a: int

    class Page(msgspec.Struct, Generic[T]):
        items: list[T]

    item = round_trips(Two(5), One | Two)
    round_trips(Page([1]), Page[int])
    for spelled in ({"N": "2.0"}, {"N": 2}):
        assert from_item({**item, "v": spelled}, One | Two) == Two(5)
        assert from_item({**item, "v": spelled}, Two) == Two(5)
    for other in ({"N": "1"}, {"S": "2"}, {"N": "x"}, {}):
        with pytest.raises(DecodeError, match="the tag of Two, got another at v"):
            from_item({**item, "v": other}, Two)


def test_options_and_conversions_work_on_foreign_classes() -> None:
    @model(rename="PascalCase", none="omit")
    class Model(pydantic.BaseModel):
        some_a: int
        some_b: int | None = None

    assert round_trips(Model(some_a=1)) == {"SomeA": {"N": "1"}}


def test_an_instance_of_another_class_is_refused() -> None:
    with pytest.raises(EncodeError, match="expected MsgspecInner, got AttrsInner"):
        codec_for(MsgspecInner).encode(AttrsInner(1, set()))  # type: ignore[arg-type]


def test_foreign_tagged_unions_by_literal() -> None:
    class Cat(pydantic.BaseModel):
        kind: Literal["cat"] = "cat"

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"] = "dog"

    round_trips(Dog(), Cat | Dog)


def test_nothing_foreign_is_imported_for_a_dataclass() -> None:
    code = """
import sys
from dataclasses import dataclass
from ddbstream import from_item, to_item
@dataclass
class Model:
    a: list[int]
assert from_item(to_item(Model([1])), Model) == Model([1])
bad = {"pydantic", "attr", "attrs", "msgspec", "boto3", "typing_extensions", "uuid", "base64"}
print(sorted(bad & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
