"""Forms that few classes have: read quickly, slowly and from text alike, or refused in words."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Annotated, Any, Literal, Optional, Union

import pytest

from ddbstream import Attribute, DDBStreamError, from_item, keys, to_item
from ddbstream._model import codec
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import Registry, model, renamed, retyped, upgrade
from tests.support.products import holding
from tests.unit.model.reading import codec_for, quickly, round_trips, slowly

attrs = pytest.importorskip("attrs")
msgspec = pytest.importorskip("msgspec")
pydantic = pytest.importorskip("pydantic")
typing_extensions = pytest.importorskip("typing_extensions")


def from_text(obj: Any) -> Any:
    """The object, read from the JSON of its item as a record's image is."""
    text = json.dumps(to_item(obj, wire="json")).encode()
    return codec_for(type(obj)).read_json(msgspec.Raw(text))


@dataclass
class Size:
    w: int


@dataclass
class Nested:
    """Reads another item when it is made, as a class may that keeps JSON in an attribute."""

    raw: str

    def __post_init__(self) -> None:
        from_item(json.loads(self.raw), Size)


@dataclass
class Holder:
    nested: Nested
    n: int


class TestWhatAClassRaises:
    def test_is_an_error_at_its_place_also_where_it_is_one_of_ours(self):
        for read in (quickly, slowly, from_item):
            assert read({"raw": {"S": '{"w": {"N": "1"}}'}}, Nested) == Nested('{"w": {"N": "1"}}')
        item = {"nested": {"M": {"raw": {"S": '{"w": {"S": "hunter2"}}'}}}, "n": {"S": "x"}}
        with pytest.raises(DecodeError) as caught:
            from_item(item, Holder)
        # Not the path in that other item; nor does it hide what else is wrong.
        assert [error.path for error in caught.value.errors] == ["nested", "n"]
        assert "refused its values with DecodeError" in str(caught.value)
        assert "hunter2" not in str(caught.value)

    @pytest.mark.parametrize("place", ["init", "post_init"])
    def test_is_of_no_field_where_attrs_did_not_call_it_for_one(self, place: str):
        def refuse(self: Any, x: int = 0) -> None:
            raise ValueError("hunter2")

        names = {"__init__": refuse} if place == "init" else {"__attrs_post_init__": refuse}
        made: Any = attrs.define(init=place == "post_init")(
            type("Made", (), {"__annotations__": {"x": int}, **names})
        )
        with pytest.raises(DecodeError, match="Made refused its values with ValueError") as caught:
            from_item({"x": {"N": "1"}}, made)
        assert caught.value.path is None

    def test_by_comparing_itself_is_no_answer(self):
        @dataclass
        class Base:
            a: int

        @dataclass
        class Sub(Base):
            def __eq__(self, other: object) -> bool:
                raise ValueError

            __hash__ = None  # type: ignore[assignment]

        with pytest.raises(EncodeError, match="its subclass Sub"):
            to_item(holding(Base)(Sub(1)))


class TestTagsThatAreNoText:
    @dataclass
    class One:
        version: Literal[1]
        a: int = 0

    @dataclass
    class Two:
        version: Literal[2]
        b: int = 0

    made = holding(Union[One, Two])  # noqa: UP007

    def test_are_read_alike(self):
        for value in (self.One(1, 3), self.Two(2, 4)):
            round_trips(self.made(value))
            assert from_text(self.made(value)) == self.made(value)

    @pytest.mark.parametrize(
        ("inside", "path"),
        [
            ({"version": {"N": "1"}, "a": {"S": "x"}}, "a.a"),
            ({"version": {"N": "3"}}, "a.version"),
            ({}, "a.version"),
        ],
    )
    def test_are_refused_by_path(self, inside: Any, path: str):
        with pytest.raises(DecodeError) as caught:
            from_item({"a": {"M": inside}}, self.made)
        assert caught.value.path == path

    def test_two_constants_of_which_one_tells_the_classes_apart(self):
        class A(msgspec.Struct, tag_field="kind", tag="same"):
            v: Literal["a"] = "a"

        class B(msgspec.Struct, tag_field="kind", tag="same"):
            v: Literal["b"] = "b"

        made = holding(Union[A, B])  # noqa: UP007
        for value in (A(), B()):
            assert from_item(to_item(made(value)), made) == made(value)

        class C(msgspec.Struct, tag_field="kind", tag="same"):
            w: int = 0

        with pytest.raises(ModelDefinitionError, match="tell them apart"):
            codec_for(holding(Union[A, C]))  # noqa: UP007


def test_a_literal_in_a_set_is_one_of_its_values():
    made = holding(set[Literal["a", "b"]])
    round_trips(made({"a", "b"}))
    with pytest.raises(DecodeError, match=r"at a\[1\]"):
        from_item({"a": {"SS": ["a", "c"]}}, made)


def test_a_tag_outside_of_what_is_no_map_is_refused():
    @dataclass
    class Round:
        r: int

    @dataclass
    class Flat:
        w: int

    tags: Any = {"round": Round, "flat": Flat}
    made = holding(Annotated[Round | Flat, Attribute(tags=tags)])
    for payload in ([], 3, None):
        with pytest.raises(DecodeError, match="at a"):
            from_item({"a": {"M": payload}}, made)


class Alias:
    """What ``type Tree = ...`` makes: its value is asked for later, and has the alias in it."""

    __name__ = "Tree"
    __type_params__ = ()

    @property
    def __value__(self) -> Any:
        return Union[int, set[str], list[self], Branch]  # type: ignore[valid-type] # noqa: UP007

    def __call__(self) -> None:
        """3.10 takes nothing for a type that cannot be called; `typing_extensions` has it too."""


Tree: Any = Alias()


@dataclass
class Branch:
    left: Tree = 0
    right: Tree = field(default_factory=set)
    maybe: Optional[Tree] = None  # noqa: UP045 - an alias of ours has no |


class TestRecursion:
    def test_of_an_alias_is_read_and_written_at_any_depth(self):
        made = holding(Tree)
        deep = Branch(Branch(1, 2), [3, Branch(4)])
        for value in (deep, [deep, [5]], 6, {"x"}):
            round_trips(made(value))
        with pytest.raises(EncodeError, match=r"at a\.left\.right"):
            to_item(made(Branch(Branch(1, object()))))

    def test_of_an_alias_leaves_out_what_cannot_be_stored_and_comes_back(self):
        item = round_trips(holding(Tree)(Branch(1, set())))
        assert item == {"a": {"M": {"left": {"N": "1"}, "maybe": {"NULL": True}}}}
        with pytest.raises(EncodeError, match=r"at a\.maybe"):
            to_item(holding(Tree)(Branch(1, 2, set())))  # it would be read as None

    def test_of_an_alias_beside_another_kind_is_told_apart_by_the_value(self):
        deep = typing_extensions.TypeAliasType("deep", int | list["deep | Literal['x']"])
        made = holding(deep)
        round_trips(made([5, "x", [7, "x", []]]))
        with pytest.raises(EncodeError, match=r"at a\[0\]\[1\]"):
            to_item(made([[1, 0.5]]))

    def test_has_paths(self):
        found = codec_for(holding(Tree))
        value = holding(Tree)(Branch(Branch(1, 2)))
        assert found.places(("a", "left", "right"))
        assert found.value_at(value, ("a", "left", "right"), None) == 2
        for parts in (("a", "left", "right", "x"), ("a", "right", "left"), ("a", "x", "y")):
            assert found.value_at(value, parts, "nothing") == "nothing"

    def test_of_lists_has_no_end_of_depth(self):
        annotation: Any = int
        value: Any = 5
        for _ in range(30):
            annotation, value = list[annotation], [value]
        made = holding(annotation)
        round_trips(made(value))
        assert from_text(made(value)) == made(value)

    def test_of_a_class_that_is_used_twice_is_read_from_text(self):
        @dataclass
        class Twice:
            one: Size
            two: list[Size] = field(default_factory=list)
            three: dict[str, Size] = field(default_factory=dict)

        value = Twice(Size(1), [Size(2), Size(3)], {"x": Size(4)})
        round_trips(value)
        assert from_text(value) == value


class Money:
    def __init__(self, cents: Any) -> None:
        self.cents = int(cents)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and self.cents == other.cents

    __hash__ = None  # type: ignore[assignment]


class TestConversions:
    def test_are_read_from_text_too(self):
        @model(structure=lambda size: size)
        @dataclass
        class Checked:
            w: int

        @model(unstructure=lambda size: size)
        @dataclass
        class Written:
            w: int

        @dataclass
        class Both:
            money: Annotated[Money, Attribute(structure=Money, unstructure=lambda m: m.cents)]
            checked: Checked
            more: list[Written]
            maybe: Written | None = None

        value = Both(Money(5), Checked(1), [Written(2)], Written(3))
        round_trips(value)
        assert from_text(value) == value
        found = codec_for(Both)
        assert found.value_at(value, ("checked", "w"), None) == 1
        assert found.value_at(value, ("more", 0, "w"), None) == 2
        assert found.places(("more", 0, "w"))

    def test_of_an_absent_value_are_not_asked(self):
        @dataclass
        class Maybe:
            it: Annotated[Money | None, Attribute(structure=Money, unstructure=lambda m: m.cents)]

        for read in (quickly, slowly, from_item):
            assert read({}, Maybe) == Maybe(None)


class TestUpgrades:
    @upgrade(renamed("width", "w"), retyped("w", "S", lambda value: {"N": value["S"]}))
    @dataclass
    class Box:
        w: int
        size: Size | None = None

    def test_of_several_steps_end_where_the_class_refuses_what_they_made(self):
        item = {"width": {"S": "1"}, "size": {"M": {"w": {"S": "x"}}}}
        for read in (slowly, from_item):
            with pytest.raises(DecodeError) as caught:
                read(item, self.Box)
            assert caught.value.path == "size.w"

    def test_say_what_they_are(self):
        first, _ = codec_for(self.Box)._plan.root.upgrades
        assert repr(first) == first.name
        registry = Registry()

        class Step:
            def __call__(self, item: Any) -> Any:
                return {"w": {"N": "1"}}

        registry.register(Size, upgrades=[Step()])
        assert codec_for(Size, registry).places(("w",))
        assert from_item({"old": {"S": "x"}}, Size, registry=registry) == Size(1)


class TestPydantic:
    class Colour(Enum):
        RED = "red"

    def model(self, annotation: Any, **config: Any) -> Any:
        return pydantic.create_model(
            "Model", __config__=pydantic.ConfigDict(**config), a=(annotation, ...)
        )

    def test_a_value_of_another_kind_is_another_alternatives(self):
        made = self.model(Union[pydantic.AnyUrl, int])  # noqa: UP007
        for value in (3, "https://a.b/"):
            assert from_item(to_item(made(a=value)), made) == made(a=value)
        with pytest.raises(EncodeError):
            to_item(made.model_construct(a=object()))

    def test_values_of_an_enum_are_told_from_others(self):
        made = self.model(Union[self.Colour, bool], use_enum_values=True)  # noqa: UP007
        assert to_item(made(a="red")) == {"a": {"S": "red"}}
        assert to_item(made(a=True)) == {"a": {"BOOL": True}}
        with pytest.raises(EncodeError):
            to_item(made.model_construct(a="pink"))

    def test_what_would_come_back_as_another_is_refused(self):
        made = self.model(pydantic.AnyUrl)
        with pytest.raises(EncodeError, match=r"would not be read back|refused the value"):
            to_item(made.model_construct(a="https://a.b"))
        with pytest.raises(EncodeError, match="SecretStr, got str"):
            to_item(self.model(pydantic.SecretStr).model_construct(a="plain"))

    def test_a_kind_that_is_no_text_and_no_number_has_no_place(self):
        class Odd:
            @classmethod
            def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
                return handler(list[int])

        with pytest.raises(ModelDefinitionError, match="no place in DynamoDB"):
            codec_for(self.model(Odd))


def test_a_map_without_anything_to_read_is_a_map():
    @dataclass
    class Empty:
        pass

    made = holding(Empty)
    round_trips(made(Empty()))
    assert from_text(made(Empty())) == made(Empty())


@pytest.mark.parametrize("annotation", [3, "x", Literal["a"]])
def test_what_is_no_class_is_no_model(annotation: Any):
    with pytest.raises(DDBStreamError):
        codec_for(annotation)


def test_self_is_for_fields():
    from typing_extensions import Self

    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(Self)
    assert caught.value.problem == "Self is for the fields of a class"


def test_a_program_that_makes_up_classes_without_end_is_served(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(codec, "_MAX_OTHER_CODECS", 2)
    for number in range(5):
        registry = Registry()
        for _ in range(2):
            made = holding(Annotated[int, Attribute(f"a{number}")])
            assert from_item({f"a{number}": {"N": "1"}}, made, registry=registry) == made(1)
    for inner in (int, str, bool, float, bytes):
        assert from_item({"x": {"L": []}}, dict[str, list[inner]]) == {"x": []}  # type: ignore[valid-type]


@keys(PK="A#{a}#{b}")
@dataclass
class Keyed:
    a: str
    b: int
    c: str = ""


def test_keys_of_several_fields_are_read_from_text():
    value = Keyed("x", 1, "y")
    round_trips(value)
    assert from_text(value) == value
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever: then it is read in words
        codec_for(Keyed).read_json(msgspec.Raw(b'{"PK": {"S": "A#x"}, "c": {"S": "y"}}'))
