"""What pydantic, attrs and msgspec classes can say besides kinds: aliases, factories, bases."""

from __future__ import annotations

from dataclasses import InitVar
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar

import pytest

from ddbstream import Attribute, from_item, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import model
from tests.unit.model.reading import codec_for, quickly, slowly

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

import pydantic.dataclasses  # noqa: E402, F811

T = TypeVar("T")


class Early(pydantic.BaseModel):
    later: Later | None = None


class Later(pydantic.BaseModel):
    a: int


class Never(pydantic.BaseModel):
    it: Nowhere  # type: ignore[name-defined] # noqa: F821


@pydantic.dataclasses.dataclass
class NeverData:
    it: Nowhere  # type: ignore[name-defined] # noqa: F821


@attrs.define
class NeverAttrs:
    it: Nowhere  # type: ignore[name-defined] # noqa: F821


class NeverStruct(msgspec.Struct):
    it: Nowhere  # type: ignore[name-defined] # noqa: F821


def round_trips(obj: Any, model: Any = None) -> dict[str, Any]:
    for wire in ("json", "boto3"):
        item = to_item(obj, wire=wire, model=model)  # type: ignore[arg-type]
        assert quickly(item, model or type(obj)) == obj
        assert slowly(item, model or type(obj)) == obj
    return item  # type: ignore[return-value]


def test_a_pydantic_model_may_name_what_is_defined_after_it() -> None:
    codec: Any = codec_for(Early)  # before anything else completes the class
    assert codec.decode({"later": {"M": {"a": {"N": "1"}}}}) == Early(later=Later(a=1))


@pytest.mark.parametrize("cls", [NeverData, NeverAttrs, NeverStruct])
def test_an_annotation_that_names_nothing_is_refused_at_its_field(cls: Any) -> None:
    with pytest.raises(ModelDefinitionError, match="Nowhere") as caught:
        codec_for(cls)
    assert caught.value.path == "it"


def test_what_pydantic_cannot_complete_is_refused_when_bound() -> None:
    with pytest.raises(
        ModelDefinitionError, match=r"names 'Nowhere', which cannot be found.* at it"
    ):
        codec_for(Never)


class HalfAStruct:
    __struct_fields__ = ("a",)


class HalfAModel:
    __pydantic_validator__ = None


@pytest.mark.parametrize("cls", [HalfAStruct, HalfAModel])
def test_a_class_with_but_one_of_a_librarys_marks_is_not_of_it(cls: Any) -> None:
    with pytest.raises(ModelDefinitionError, match=f"{cls.__name__} has no place in DynamoDB"):
        codec_for(cls)


# --- pydantic -----------------------------------------------------------------------------------


def test_pydantic_dataclasses_have_configurations_and_fields_of_their_own() -> None:
    @pydantic.dataclasses.dataclass(config=pydantic.ConfigDict(extra="forbid"))
    class Data(Generic[T]):
        one: T = pydantic.Field(alias="Uno")
        asked: int = pydantic.Field(default=1, init=True)
        own: int = pydantic.Field(default=7, init=False)
        taken: InitVar[int] = 5

    item = {"Uno": {"S": "x"}, "asked": {"N": "2"}, "own": {"N": "8"}}
    made = quickly(item, Data[str])
    assert (made.one, made.asked, made.own) == ("x", 2, 8)
    assert to_item(made, model=Data[str]) == item
    with pytest.raises(DecodeError, match="got one at more"):
        from_item({**item, "more": {"N": "1"}}, Data[str])
    with pytest.raises(DecodeError, match="expected S, got N at Uno"):
        from_item({"Uno": {"N": "1"}}, Data[str])


def test_pydantic_takes_what_it_collects_through_its_validation() -> None:
    class Allowing(pydantic.BaseModel, extra="allow"):
        __pydantic_extra__: dict[str, int] = pydantic.Field(init=False)

    made = from_item({"b": {"N": "1"}}, Allowing)
    assert made.model_extra == {"b": 1}
    assert type((made.model_extra or {})["b"]) is int
    with pytest.raises(DecodeError, match="expected N, got S at b"):
        from_item({"b": {"S": "x"}}, Allowing)


def test_pydantic_names_an_attribute_by_what_it_is_written_as() -> None:
    class Model(pydantic.BaseModel):
        one: int = pydantic.Field(serialization_alias="Uno")
        two: int = pydantic.Field(validation_alias="Dos")
        three: int = pydantic.Field(alias="four")
        four: int = pydantic.Field(alias="three")

    made = Model(one=1, Dos=2, four=3, three=4)  # type: ignore[call-arg]
    assert round_trips(made) == {
        "Uno": {"N": "1"},
        "two": {"N": "2"},
        "four": {"N": "3"},
        "three": {"N": "4"},
    }


def test_a_default_that_looks_at_other_fields_is_nobodys_empty_set() -> None:
    class Model(pydantic.BaseModel):
        a: int
        b: set[str] = pydantic.Field(default_factory=lambda data: {str(data["a"])})

    with pytest.raises(EncodeError) as caught:
        to_item(Model(a=1, b=set()))
    assert caught.value.path == "b"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (list[pydantic.SecretStr] | None, ["x"]),
        (dict[str, pydantic.SecretBytes] | None, {"x": b"y"}),
        (set[pydantic.SecretStr], {"x"}),
    ],
)
def test_what_pydantic_masks_is_stored_wherever_it_is(kind: Any, value: Any) -> None:
    cls: Any = pydantic.create_model("Masked", a=(kind, ...))
    assert "*" not in str(round_trips(cls(a=value)))


def test_pydantic_is_asked_for_the_one_field_under_its_own_name() -> None:
    class Strange:
        pass

    def make(raw: str) -> Strange:
        return Strange()

    def take(value: Strange) -> str:
        return "strange"

    class Model(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(arbitrary_types_allowed=True, serialize_by_alias=True)
        url: pydantic.HttpUrl = pydantic.Field(alias="Url")
        links: dict[str, pydantic.HttpUrl] = {}
        password: pydantic.SecretBytes | None = None
        strange: Annotated[Any, Attribute(structure=make, unstructure=take)] = Strange()

    made = from_item(
        {"Url": {"S": "https://a.example/"}, "links": {"M": {"a": {"S": "https://b.example/"}}}},
        Model,
    )
    made.password = pydantic.SecretBytes(b"ab")
    assert to_item(made, wire="json") == {
        "Url": {"S": "https://a.example/"},
        "links": {"M": {"a": {"S": "https://b.example/"}}},
        "password": {"B": "YWI="},
        "strange": {"S": "strange"},
    }
    assert to_item(made)["password"] == {"B": b"ab"}
    with pytest.raises(DecodeError, match="that HttpUrl accepts, got malformed S at Url"):
        from_item({"Url": {"S": 5}}, Model)


class ValidationError(Exception):
    """Of the pydantic error's name, and none."""


class Several(Exception):
    errors = ()


@pytest.mark.parametrize("error", [ValidationError, Several])
def test_what_is_no_refusal_of_pydantics_is_named_by_class(error: type[Exception]) -> None:
    class Model(pydantic.BaseModel):
        a: int

        @pydantic.field_validator("a")
        @classmethod
        def _check(cls, value: int) -> int:
            raise error

    with pytest.raises(DecodeError, match=f"Model refused its values with {error.__name__}"):
        from_item({"a": {"N": "1"}}, Model)


def test_a_refusal_of_a_whole_pydantic_model_is_at_the_model() -> None:
    class Inner(pydantic.BaseModel):
        a: int

        @pydantic.model_validator(mode="after")
        def _check(self) -> Inner:
            raise ValueError

    class Outer(pydantic.BaseModel):
        inner: Inner

    Outer.model_rebuild(_types_namespace={"Inner": Inner})
    with pytest.raises(DecodeError) as caught:
        from_item({"inner": {"M": {"a": {"N": "1"}}}}, Outer)
    assert caught.value.path == "inner"
    assert (caught.value.expected, caught.value.found) == (
        "a value that Inner accepts",
        "value_error",
    )


def test_a_refusal_deep_in_a_field_is_at_its_place() -> None:
    class Model(pydantic.BaseModel):
        a: list[list[Annotated[int, pydantic.Field(gt=0)]]] = pydantic.Field(alias="A")

    with pytest.raises(DecodeError) as caught:
        from_item({"A": {"L": [{"L": []}, {"L": [{"N": "1"}, {"N": "2"}, {"N": "0"}]}]}}, Model)
    assert (caught.value.path, caught.value.found) == ("A[1][2]", "greater_than")


# --- attrs and msgspec --------------------------------------------------------------------------


def test_an_attrs_factorys_empty_set_is_left_out() -> None:
    @attrs.define
    class Model:
        tags: set[str] = attrs.Factory(set)

    assert round_trips(Model()) == {}


def test_what_attrs_refuses_is_at_the_one_field_that_refused_it() -> None:
    @attrs.define
    class Base:
        a: int = attrs.field(validator=attrs.validators.gt(0))
        b: int = 5

    @attrs.define(init=False)
    class Sub(Base):
        def __init__(self, a: int, b: int) -> None:
            Base.__init__(self, a, b)

    for cls in (Base, Sub):
        with pytest.raises(DecodeError) as caught:
            from_item({"a": {"N": "-7"}, "b": {"N": "1"}}, cls)
        assert (caught.value.path, caught.value.errors) == ("a", ())
        assert str(caught.value).startswith(f"{cls.__name__} refused the value with ValueError")
        assert "-7" not in str(caught.value)


def test_what_no_field_of_attrs_refuses_is_at_the_class() -> None:
    @attrs.define
    class After:
        a: int

        def __attrs_post_init__(self) -> None:
            raise ValueError

    @attrs.define(init=False)
    class Own:
        a: int

        def __init__(self, a: int) -> None:
            raise ValueError

    for cls in (After, Own):
        with pytest.raises(DecodeError, match=f"{cls.__name__} refused its values") as caught:
            from_item({"a": {"N": "1"}}, cls)
        assert (caught.value.path, caught.value.errors) == (None, ())


def test_generic_bases_of_attrs_and_msgspec() -> None:
    @attrs.define
    class AttrsBase(Generic[T]):
        one: T
        two: int

    @attrs.define
    class AttrsSub(AttrsBase[str]):
        three: int = 3

    class StructBase(msgspec.Struct, Generic[T]):
        one: T
        two: int

    class StructSub(StructBase[str]):
        three: int = 3

    for cls in (AttrsSub, StructSub):
        item = round_trips(cls("x", 2))
        assert item["two"] == {"N": "2"}
        with pytest.raises(DecodeError, match="expected S, got N at one"):
            from_item({**item, "one": {"N": "1"}}, cls)


def test_msgspec_defaults_are_told_from_none() -> None:
    class Model(msgspec.Struct, kw_only=True):
        a: int = 0
        b: str
        c: int | None = None

    assert from_item({"b": {"S": "x"}}, Model) == Model(b="x")
    with pytest.raises(DecodeError, match="expected S, got nothing at b"):
        from_item({}, Model)


def test_a_rename_policy_names_what_msgspec_does_not() -> None:
    @model(rename="PascalCase")
    class Model(msgspec.Struct):
        some_a: int
        other: int = msgspec.field(name="own", default=2)

    assert round_trips(Model(1)) == {"SomeA": {"N": "1"}, "own": {"N": "2"}}


def in_a_function() -> list[Any]:
    """Classes that name one another, and which nobody outside can name."""

    @attrs.define
    class AttrsInner:
        outside: AttrsOuter | None  # type: ignore[name-defined] # noqa: F821

    class StructInner(msgspec.Struct):
        outside: StructOuter | None

    class StructOuter(msgspec.Struct):
        inside: Any

    StructOuter.__annotations__["inside"] = Optional[StructInner]  # noqa: UP045 - made at run time
    inside = attrs.field(type=Optional[AttrsInner])  # noqa: UP045 - made at run time
    outer: Any = attrs.make_class("AttrsOuter", {"inside": inside})
    return [outer(AttrsInner(outer(None))), StructOuter(StructInner(StructOuter(None)))]


def test_a_class_being_planned_is_known_by_name_to_what_it_nests() -> None:
    @attrs.define
    class Attrs:
        again: Attrs | None
        kind: Literal["attrs"] = "attrs"

    class Struct(msgspec.Struct):
        again: Struct | None
        kind: Literal["struct"] = "struct"

    for cls in (Attrs, Struct):
        round_trips(cls(cls(None)))
    for obj in in_a_function():
        round_trips(obj)
