"""Whatever text a name is, and whatever class of text, generated code never runs it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, TypedDict

import pytest

from ddbstream import Attribute, keys, to_item
from ddbstream.exceptions import ModelDefinitionError
from ddbstream.models import decoder_source, model
from tests.unit.model.reading import codec_for, quickly, slowly

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")

import pydantic.dataclasses  # noqa: E402, F811


class Name(str, Enum):
    PK = "PK"
    KIND = "kind"
    CAT = "cat"
    DOG = "dog"


RAN: list[str] = []


class Evil(str):
    """Text that says of itself what it likes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "RAN.append('ran')"

    __str__ = __repr__
    __format__ = lambda self, _: repr(self)  # noqa: E731


EVIL = "x=print('ran'), y"


def round_trips(obj: Any, model: Any = None) -> dict[str, Any]:
    item = to_item(obj, wire="json", model=model)
    cls = model or type(obj)
    assert quickly(item, cls) == slowly(item, cls) == obj
    assert codec_for(cls).decode(item) == obj
    assert "RAN" not in decoder_source(cls)
    return item  # type: ignore[return-value]


@pytest.mark.parametrize("name", [Name.PK, Evil("PK"), "PK"])
def test_the_name_of_a_field_is_its_text(name: str) -> None:
    size: Any = TypedDict("size", {name: int})  # type: ignore[misc]
    assert round_trips({"PK": 1}, size) == {"PK": {"N": "1"}}


@pytest.mark.parametrize("name", [Name.PK, Evil("PK"), "PK"])
def test_a_members_name_is_its_text(name: str) -> None:
    @dataclass
    class Model:
        a: Annotated[int, Attribute(name)]
        b: Annotated[int, Attribute(f'"{name.upper()}"]; import os #')] = 1

    assert next(iter(round_trips(Model(1)))) == "PK"


@pytest.mark.parametrize("name", [Name.PK, Evil("PK"), "P K\n'"])
@pytest.mark.parametrize("template", ["A#{a}", Evil("A#{a}"), Evil("A'#{a}#{b}")])
def test_keys_take_names_and_templates_of_any_class_of_text(name: str, template: str) -> None:
    @keys(**{name: template, "SK": Evil("literal'")})
    @dataclass
    class Model:
        a: int
        b: int

    round_trips(Model(1, 2))


def test_a_rename_that_gives_no_text_is_refused_when_bound() -> None:
    @model(rename=Evil)
    @dataclass
    class Model:
        a: int

    assert list(round_trips(Model(1))) == ["a"]

    @model(rename=lambda name: None)  # type: ignore[arg-type, return-value]
    @dataclass
    class Nameless:
        a: int

    with pytest.raises(ModelDefinitionError, match="a name is text, not a NoneType"):
        codec_for(Nameless)


def test_tags_of_unions_may_be_members_of_enums() -> None:
    @dataclass
    class Cat:
        kind: Annotated[Literal[Name.CAT], Attribute(Name.KIND)]

    @dataclass
    class Dog:
        kind: Annotated[Literal[Name.DOG], Attribute(Name.KIND)]

    round_trips(Cat(Name.CAT), model=Cat | Dog)
    round_trips(Dog(Name.DOG), model=Cat | Dog)


@pytest.mark.parametrize("name", ["class", "from", "None", "async", "__debug__"])
def test_fields_that_are_keywords(name: str) -> None:
    struct = msgspec.defstruct("Struct", [(name, int), ("b", int, 2)])
    round_trips(struct(1))


def test_msgspec_tags_and_tag_fields_of_any_class_of_text() -> None:
    class One(msgspec.Struct, tag="it's", tag_field='the "tag"'):
        a: int

    class Two(msgspec.Struct, tag="two\n", tag_field='the "tag"'):
        a: int

    round_trips(One(1))
    round_trips(Two(1), One | Two)


@pytest.mark.parametrize("alias", [EVIL, Evil("a"), "two words", "class", "a.b", "a'\n"])
def test_aliases_of_pydantic(alias: str) -> None:
    @pydantic.dataclasses.dataclass
    class Data:
        a: int = pydantic.Field(validation_alias=alias)

    class Model(pydantic.BaseModel):
        a: int = pydantic.Field(alias=alias)

    plain = str.__str__(alias)
    round_trips(Data(**{plain: 1}))
    assert list(round_trips(Model(**{plain: 1}))) == [plain]
    assert RAN == []


def test_class_and_default_names_are_hints_at_most() -> None:
    cls = dataclasses.make_dataclass("x(1); y", [("a", int, field(default_factory=lambda: 3))])
    round_trips(cls())


class EvilHint(Evil):
    """A class's name, which Python keeps as it is."""

    __slots__ = ()
    __iter__ = lambda self: iter([Evil(repr(self))])  # noqa: E731

    def isidentifier(self) -> bool:
        return True

    def rpartition(self, *_: Any) -> Any:
        return "", "", self


@pytest.mark.parametrize("name", [EvilHint("a"), "nu\0ll", "x: 1\n"])
def test_a_classs_name_is_its_text(name: str) -> None:
    inner = dataclasses.make_dataclass("Inner", [("a", int)])
    inner.__qualname__ = name
    outer = dataclasses.make_dataclass("Outer", [("b", inner), ("c", list[inner])])
    outer.__qualname__ = name
    round_trips(outer(inner(1), [inner(2)]))
    colours = Enum(EvilHint("Colours"), {"RED": "red"})  # type: ignore[misc]
    round_trips(dataclasses.make_dataclass("Held", [("a", colours)])(colours.RED))
    assert RAN == []
