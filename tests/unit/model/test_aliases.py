"""Aliases of PEP 695, as typing_extensions has them for every Python, and bare generic types."""

# ruff: noqa: UP007 - an alias of typing_extensions has no `|` on every Python

from __future__ import annotations

import collections
import sys
import typing
from collections import OrderedDict, deque
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Final, Generic, Literal, NewType, Optional, Union
from uuid import UUID, SafeUUID

import pytest

from ddbstream import Attribute, from_item, keys, to_item
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from tests.support.errors import too_deep
from tests.support.products import holding
from tests.unit.model.reading import codec_for, held_round_trips, quickly, slowly

extensions = pytest.importorskip("typing_extensions")
pydantic = pytest.importorskip("pydantic")

T = extensions.TypeVar("T")
U = extensions.TypeVar("U", default=int)

Name = extensions.TypeAliasType("Name", str)
Many = extensions.TypeAliasType("Many", list[int])
Maybe = extensions.TypeAliasType("Maybe", Union[int, None])
Either = extensions.TypeAliasType("Either", Union[int, bool])
Pair = extensions.TypeAliasType("Pair", tuple[T, T], type_params=(T,))


class Lazy:
    """What ``type Json = ...`` makes: its value is asked for later, and has the alias in it."""

    __name__ = "Json"
    __type_params__ = ()

    @property
    def __value__(self) -> Any:
        return Union[str, None, list[self], dict[str, self]]  # type: ignore[valid-type]


Json = Lazy()


@pytest.mark.parametrize(
    ("annotation", "values"),
    [
        (Name, ["x"]),
        (Maybe, [1, None]),
        (Union[Maybe, str], [1, "x", None]),
        (Union[Either, str], [1, True, "x"]),
        (list[Either], [[1, True]]),
        (Pair[int], [(1, 2)]),
        (tuple[Pair[int], Pair[str], Pair[int]], [((1, 2), ("a", "b"), (3, 4))]),
        (tuple[Name, Many, Name], [("x", [1], "y")]),
        (Pair, [(Decimal(1), "x")]),
    ],
)
def test_an_alias_is_what_it_stands_for(annotation: Any, values: list[Any]) -> None:
    for value in values:
        held_round_trips(annotation, value)


@dataclass
class Cat:
    kind: Literal["cat"] = "cat"


@dataclass
class Dog:
    kind: Literal["dog"] = "dog"


MaybeCat = extensions.TypeAliasType("MaybeCat", Union[Cat, None])
IntOrText = extensions.TypeAliasType("IntOrText", Union[int, str])


def test_the_parts_of_an_alias_are_parts_of_the_union_around_it() -> None:
    for pet in (Cat(), Dog(), None):
        held_round_trips(Union[MaybeCat, Dog], pet)
    for value in (1, 1.5, "x"):
        held_round_trips(Union[IntOrText, float], value)


def test_an_alias_takes_what_it_stands_for_and_nothing_else() -> None:
    for annotation, value in ((Pair[int], ("x", 1)), (Union[Maybe, str], 1.5), (Name, 1)):
        with pytest.raises(EncodeError) as caught:
            to_item(holding(annotation)(value))
        assert (caught.value.path or "").startswith("a")


def test_an_alias_may_refer_to_itself() -> None:
    cls = holding(tuple[Json, Json])
    codec: Any = codec_for(cls)
    value = ({"a": ["x", None, {"b": []}]}, ["y"])
    assert held_round_trips(tuple[Json, Json], value)["L"][1] == {"L": [{"S": "y"}]}
    assert "read_Json_" in codec.source
    deep: dict[str, Any] = {"S": "x"}
    for _ in range(40):
        deep = {"L": [deep]}
    with too_deep(DecodeError):
        from_item({"a": {"L": [deep, deep]}}, cls)


Nest = extensions.TypeAliasType("Nest", "Union[str, None, list[Nest], dict[str, Nest]]")
Parts = extensions.TypeAliasType("Parts", "tuple[T, list[Parts[T]]]", type_params=(T,))
Lost = extensions.TypeAliasType("Lost", "list[Nowhere]")


Texts = extensions.TypeAliasType("Texts", "Union[str, list[Texts]]")
Blobs = extensions.TypeAliasType("Blobs", "Union[bytes, list[Blobs]]")


def test_two_recursive_aliases_in_one_model_are_read_apart() -> None:
    assert held_round_trips(tuple[Texts, Blobs], (["x", ["y"]], [b"x", [b"y"]]))


def test_binaries_in_a_recursive_alias_are_text_on_the_json_wire() -> None:
    item = to_item(holding(Blobs)([[b"x"]]), wire="json")
    assert item == {"a": {"L": [{"L": [{"B": "eA=="}]}]}}


@dataclass
class Branch:
    child: Kids = field(default_factory=set)


Kids = extensions.TypeAliasType("Kids", Union[Branch, set[str]])


def test_an_empty_set_in_a_recursive_alias_is_left_out() -> None:
    tree = Branch(Branch(set()))
    assert held_round_trips(Kids, tree) == {"M": {"child": {"M": {}}}}
    assert held_round_trips(Kids, Branch({"x"})) == {"M": {"child": {"SS": ["x"]}}}


class LazilyLost:
    """What ``type Lost = list[Nowhere]`` makes."""

    __name__ = "Lost"
    __type_params__ = ()

    @property
    def __value__(self) -> Any:
        return list[Nowhere]  # type: ignore[name-defined]  # noqa: F821 - that is the fault


def test_an_alias_may_be_text_that_names_itself() -> None:
    held_round_trips(Nest, {"a": ["x", None, {"b": []}]})
    held_round_trips(tuple[Nest, Nest], (["x"], None))
    held_round_trips(Parts[int], (1, [(2, [(3, [])])]))
    # the name is defined nowhere but here
    local = extensions.TypeAliasType("Local", "Union[int, list[Local]]")
    held_round_trips(local, [1, [2, []]])
    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"M": {"b": {"L": [{"N": "1"}]}}}}, holding(Nest))
    assert caught.value.path == "a.b[0]"


Nested = extensions.TypeAliasType("Nested", "list[Nested]")
Sizes = extensions.TypeAliasType("Sizes", "dict[str, Union[Sizes, int]]")
Words = extensions.TypeAliasType("Words", "list[Union[Words, None, str]]")
Leaves = extensions.TypeAliasType("Leaves", "list[Union[Leaves, Name, Branch]]")
Odd = extensions.TypeAliasType("Odd", "Union[Even, int]")
Even = extensions.TypeAliasType("Even", "Union[list[Odd], dict[str, Even]]")
Some = extensions.TypeAliasType("Some", "Union[None, list[Union[Some, str]]]")


class Fields(pydantic.RootModel[Any]):
    root: dict[str, Union[Fields, int, None]]


class Rows(pydantic.RootModel[Any]):
    root: list[Union[Rows, Literal[5], str]]


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (Nested, [[], [[]]]),
        (Sizes, {"a": {"b": 1}, "c": 2}),
        (Optional[Sizes], None),  # noqa: UP045 - an alias has no `|` on every Python
        (Words, [[["a"], None], "b"]),
        (Leaves, [["x", [Branch({"y"})]], Branch(Branch(set()))]),
        (Odd, [1, [2], {"a": [3], "b": {}}]),
        (Even, {"a": [3, {"b": [[]]}]}),
        (tuple[Even, Odd, Sizes, Sizes], ([1], 2, {}, {"a": 1})),
        (Some, [None, "x", ["y"]]),
        (Fields, Fields({"a": Fields({"b": None}), "c": 1})),
        (Rows, Rows([5, Rows([Rows([5]), "x"])])),
        (list[Union[Rows, int]], [Rows(["x"]), 5]),
    ],
)
def test_an_alias_inside_itself_may_be_a_part_of_a_union(annotation: Any, value: Any) -> None:
    held_round_trips(annotation, value)


Tree = extensions.TypeAliasType("Tree", "dict[str, Union[Tree, Branch]]")
Itself = extensions.TypeAliasType("Itself", "Itself")
Perhaps = extensions.TypeAliasType("Perhaps", "Optional[Perhaps]")
Number = extensions.TypeAliasType("Number", "Union[int, list[Union[Number, int]]]")


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        (Tree, "Tree,? .*Branch.*: two parts are both stored as M, .* at a"),
        (Number, "Number,? .*int.*: two parts are both stored as N, .* at a"),
        (Itself, "type alias Itself stands for nothing but itself at a"),
        (Perhaps, "type alias Perhaps stands for nothing but itself at a"),
    ],
)
def test_what_an_alias_inside_itself_cannot_be_is_refused_in_words(
    alias: Any, message: str
) -> None:
    with pytest.raises(ModelDefinitionError, match=message):
        codec_for(holding(alias))


@pytest.mark.parametrize("alias", [Lost, LazilyLost()])
def test_an_alias_that_names_nothing_is_refused_at_its_field(alias: Any) -> None:
    cls = holding(list[alias])
    with pytest.raises(
        ModelDefinitionError, match=r"type alias Lost: .* names 'Nowhere'"
    ) as caught:
        codec_for(cls)
    assert (caught.value.path, caught.value.model) == ("a", cls)


def test_a_type_variable_has_a_default_or_is_any() -> None:
    @dataclass
    class Model(Generic[T, U]):
        a: T
        b: U

    made = from_item({"a": {"S": "x"}, "b": {"N": "1"}}, Model)
    assert made == Model("x", 1)
    assert type(made.b) is int


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="TypeVar has defaults of its own")
def test_a_type_variable_of_typing_extensions_before_4_12_has_its_default() -> None:
    old: Any = typing.TypeVar("old")  # as 4.7 makes it: an attribute, and no has_default
    old.__default__ = int
    assert type(from_item({"a": {"N": "1"}}, holding(old)).a) is int
    old_without: Any = typing.TypeVar("old_without")
    old_without.__default__ = None
    assert held_round_trips(old_without, "x") == {"S": "x"}


def test_an_alias_that_occurs_again_is_what_it_stands_for() -> None:
    @dataclass
    class Model:
        first: Name
        named: set[Name]
        keyed: dict[Name, Name]

    held = Model("x", {"y"}, {"z": "z"})
    assert from_item(to_item(held), Model) == held


@pytest.mark.parametrize("name", ["Required", "NotRequired", "ReadOnly"])
def test_a_typed_dicts_form_inside_an_annotated(name: str) -> None:
    form = getattr(extensions, name)
    cls = extensions.TypedDict("Shape", {"a": Annotated[form[int], Attribute("A")]})
    for read in (quickly, slowly):
        assert read({"A": {"N": "1"}}, cls) == {"a": 1}
    assert to_item({"a": 1}, model=cls) == {"A": {"N": "1"}}


def test_final_is_what_it_holds() -> None:
    assert held_round_trips(Final[int], 1) == {"N": "1"}


@pytest.mark.parametrize(
    ("annotation", "value", "refused"),
    [
        (list, [1, "x"], ()),
        (dict, {"a": "x"}, []),
        (tuple, ("x", True), ["x"]),
        (set, {"x"}, ["x"]),
        (frozenset, frozenset({"x"}), ["x"]),
        (typing.Mapping, {"a": "x"}, []),
        (typing.Sequence, ["x"], "x"),
        (typing.Iterable, ["x"], 5),
        (typing.OrderedDict, OrderedDict(a="x"), []),
        (deque, deque(["x"]), ["x"]),
        (collections.abc.Set, {"x"}, ["x"]),
        (OrderedDict, OrderedDict(a="x"), []),
        (tuple, ("x",), ["x"]),
        (tuple[()], (), (1,)),
        (dict, {"a": True}, {5: 1}),
        (set, {b"x"}, {b"x", "x"}),
    ],
)
def test_a_bare_type_holds_anything(annotation: Any, value: Any, refused: Any) -> None:
    if isinstance(value, (list, tuple)):
        value = type(value)(Decimal(v) if type(v) is int else v for v in value)
    held_round_trips(annotation, value)
    with pytest.raises(EncodeError):
        to_item(holding(annotation)(refused))


def test_a_bare_type_that_has_no_place_is_refused_by_name() -> None:
    with pytest.raises(ModelDefinitionError, match=r"^Callable has no place in DynamoDB"):
        codec_for(holding(typing.Callable))


@pytest.mark.parametrize("read", [quickly, slowly])
def test_an_int_beside_a_float_and_another_kind(read: Any) -> None:
    cls = holding(Union[int, float, str])
    for wire, value in (({"N": "1"}, 1), ({"N": "1.5"}, 1.5), ({"S": "x"}, "x")):
        made = read({"a": wire}, cls).a
        assert (made, type(made)) == (value, type(value))


def test_one_and_true_are_two_tags() -> None:
    @dataclass
    class One:
        kind: Literal[1]

    @dataclass
    class Yes:
        kind: Literal[True]
        a: int = 0

    both = Union[One, Yes]
    assert from_item({"kind": {"N": "1"}}, both) == One(1)
    assert from_item({"kind": {"BOOL": True}}, both) == Yes(True)


def test_a_class_that_is_called_uuid_is_itself() -> None:
    cls = make_dataclass("UUID", [("a", int)])
    assert from_item({"a": {"M": {"a": {"N": "1"}}}}, holding(cls)).a == cls(1)


TEXT = "12345678-1234-5678-1234-56781234abcd"


def test_a_uuid_is_as_uuid_makes_it() -> None:
    @keys(PK="{a}")
    @dataclass
    class Model:
        a: UUID
        b: UUID

    made = quickly({"PK": {"S": TEXT}, "b": {"S": TEXT}}, Model)
    for uuid in (made.a, made.b):
        assert uuid == UUID(TEXT)
        assert uuid.is_safe is SafeUUID.unknown
    assert from_item({"a": {"S": TEXT.replace("-", "")}}, holding(UUID)).a == UUID(TEXT)


@pytest.mark.parametrize(
    "text", [TEXT.replace("-", " "), TEXT.replace("-", "0"), TEXT + "00", "12"]
)
def test_what_uuid_refuses_is_no_uuid(text: str) -> None:
    with pytest.raises(DecodeError, match="expected a UUID in S, got malformed S at a"):
        from_item({"a": {"S": text}}, holding(UUID))


@pytest.mark.parametrize(
    "text",
    [
        "123456781-234-5678-1234-56781234abcd",
        TEXT.replace("-", ""),
        TEXT[:-2] + "  ",
        TEXT.upper(),
    ],
)
def test_a_uuid_in_a_key_is_as_str_writes_it(text: str) -> None:
    @keys(PK="{a}")
    @dataclass
    class Model:
        a: UUID

    with pytest.raises(DecodeError, match="a as it would be written, got other text at PK"):
        from_item({"PK": {"S": text}}, Model)


def test_a_new_type_of_an_enum_is_the_enum() -> None:
    class Colour(Enum):
        RED = "red"

    Paint = NewType("Paint", Colour)
    assert held_round_trips(Paint, Colour.RED) == {"S": "red"}
