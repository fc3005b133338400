"""What the names and type variables of annotations mean, wherever a class is defined."""

from __future__ import annotations

import sys
import types
from dataclasses import InitVar, dataclass, make_dataclass
from decimal import Decimal
from typing import Any, Generic, NamedTuple, Optional, TypeVar

import pytest
import typing_extensions
from typing_extensions import TypedDict

from ddbstream import from_item, to_item
from ddbstream.exceptions import DecodeError, ModelDefinitionError
from tests.unit.model.reading import codec_for, quickly, slowly

T = TypeVar("T")
U = TypeVar("U")


@dataclass
class Base(Generic[T]):
    a: T


@dataclass
class Other(Generic[T]):
    b: T


@dataclass
class Plain(Base[int]):
    c: str = ""


@dataclass
class Bare(Base):  # type: ignore[type-arg]
    c: str = ""


@dataclass
class AfterPlain(Plain, Generic[U]):
    d: U | None = None


@dataclass
class AfterBare(Bare, Generic[U]):
    d: U | None = None


@dataclass
class PlainAndOther(Plain, Other[int]):
    pass


@dataclass
class Middle(Base[list[U]], Generic[U]):
    d: U | None = None


@dataclass
class Leaf(Middle[int]):
    pass


class Undecorated(Plain):
    pass


ONE = {"N": "1"}


@pytest.mark.parametrize(
    ("model", "item", "values"),
    [
        (Plain, {"a": ONE}, {"a": 1}),
        (Bare, {"a": ONE}, {"a": Decimal(1)}),
        (AfterPlain[float], {"a": ONE, "d": ONE}, {"a": 1, "d": 1.0}),
        (AfterBare[float], {"a": ONE, "d": ONE}, {"a": Decimal(1), "d": 1.0}),
        (PlainAndOther, {"b": ONE, "a": ONE}, {"b": 1, "a": 1}),
        (Middle[float], {"a": {"L": [ONE]}, "d": ONE}, {"a": [1.0], "d": 1.0}),
        (Leaf, {"a": {"L": [ONE]}, "d": ONE}, {"a": [1], "d": 1}),
        (Undecorated, {"a": ONE}, {"a": 1}),
        (Base[int], {"a": ONE}, {"a": 1}),
        (Base[tuple[int, str]], {"a": {"L": [ONE, {"S": "x"}]}}, {"a": (1, "x")}),
    ],
)
def test_type_variables_mean_what_a_base_was_given(model: Any, item: Any, values: Any) -> None:
    for read in (quickly, slowly):
        made = read(item, model)
        for name, value in values.items():
            assert repr(getattr(made, name)) == repr(value)


def test_a_generic_class_without_arguments_inside_another_holds_anything() -> None:
    @dataclass
    class Outer(Generic[T]):
        bare: Base  # type: ignore[type-arg]
        pair: tuple[T, U]  # type: ignore[valid-type]

    item = {"bare": {"M": {"a": {"S": "x"}}}, "pair": {"L": [ONE, {"S": "x"}]}}
    assert quickly(item, Outer[int]) == Outer(Base("x"), (1, "x"))  # type: ignore[arg-type]


def families() -> dict[str, Any]:
    @dataclass
    class Node:
        next: Node | None = None

    @dataclass
    class Sub(Node):
        more: int = 0

    @dataclass
    class Back(Generic[T]):
        outer: Outer[T] | None = None

    @dataclass
    class Outer(Generic[T]):
        back: Back[T]
        value: T | None = None

    class Alone:
        pass

    V = TypeVar("V")

    @dataclass
    class Box(Generic[V]):
        item: V

    Box.__type_params__ = (T, V)  # type: ignore[attr-defined]
    return {"Sub": Sub, "Node": Node, "Box": Box, "Back": Back, "Outer": Outer, "Alone": Alone}


def test_local_classes_know_themselves_and_those_around_them() -> None:
    made = families()
    sub, node, box = made.pop("Sub"), made.pop("Node"), made.pop("Box")
    assert from_item({"next": {"M": {}}, "more": ONE}, sub) == sub(node(), 1)
    assert from_item({"next": {"M": {}}}, node) == node(node())
    assert repr(from_item({"item": ONE}, box[int]).item) == "1"


def test_a_generic_local_class_is_known_by_its_name_inside() -> None:
    cls = make_generic()
    item = {"value": ONE, "inner": {"M": {"outer": {"M": {"value": ONE, "inner": {"M": {}}}}}}}
    made = from_item(item, cls[int])
    assert repr(made.inner.outer.value) == "1"


def make_generic() -> Any:
    @dataclass
    class Inner:
        outer: Outer[int] | None = None  # type: ignore[name-defined]  # noqa: F821

    return make_dataclass("Outer", [("value", T), ("inner", Inner)], bases=(Generic[T],))  # type: ignore[misc]


def test_an_init_var_may_be_an_object() -> None:
    seen = []

    def check(self: Any, a: int) -> None:
        seen.append(a)

    cls = make_dataclass("Model", [("a", InitVar[int])], namespace={"__post_init__": check})
    for read in (quickly, slowly):
        read({"a": ONE}, cls)
    assert seen == [1, 1]
    assert repr(seen) == "[1, 1]"


def test_a_module_that_is_gone_or_has_no_name() -> None:
    source = """
from __future__ import annotations
import dataclasses
@dataclasses.dataclass
class Model:
    a: int
    b: Model | None
def bind():
    Known = str
    @dataclasses.dataclass
    class Local:
        a: Known
    return codec_for(Local)
"""
    names: dict[str, Any] = {"__name__": "gone", "codec_for": codec_for}
    sys.modules["gone"] = types.ModuleType("gone")
    exec(source, names)  # noqa: S102 - our own
    del sys.modules["gone"], names["__name__"]
    assert quickly({"a": ONE, "b": {"NULL": True}}, names["Model"]).a == 1
    assert names["bind"]().decode({"a": {"S": "x"}}).a == "x"


def test_an_annotation_that_cannot_be_evaluated() -> None:
    broken = make_dataclass("Broken", [("a", "1 +")])
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(broken)
    error = caught.value
    assert error.problem.startswith("its annotation cannot be evaluated: SyntaxError: ")
    assert (error.path, error.model) == ("a", broken)


def test_a_name_that_is_nowhere() -> None:
    @dataclass
    class Parent:
        a: Nowhere  # type: ignore[name-defined]  # noqa: F821

    @dataclass
    class Child(Parent):
        pass

    for cls in (Parent, Child):
        with pytest.raises(ModelDefinitionError) as caught:
            codec_for(cls)
        error = caught.value
        assert error.problem == (
            "its annotation names 'Nowhere', which cannot be found; bind it where that is defined"
        )
        assert (error.path, error.model) == ("a", Parent)


def test_a_name_that_fails_although_it_is_found_is_not_asked_for_without_end() -> None:
    hidden = int

    def fails() -> Any:
        raise NameError("hidden", name="hidden")

    cls = make_dataclass("Model", [("a", "fails()")])
    with pytest.raises(ModelDefinitionError, match="names 'hidden', which cannot be found"):
        codec_for(cls)
    assert hidden is int
    assert fails is not None


def test_an_undecorated_subclass_is_its_base() -> None:
    assert to_item(Undecorated(1, "x")) == {"a": ONE, "c": {"S": "x"}}


def test_generic_bases_say_what_a_fields_type_variable_is() -> None:
    class Box(TypedDict, Generic[T]):
        content: T

    class Pair(typing_extensions.NamedTuple, Generic[T]):
        one: T
        two: int = 2

    for model, obj in ((Box[str], {"content": "x"}), (Pair[str], Pair("x"))):
        item = to_item(obj, model=model)
        assert quickly(item, model) == obj
        name = next(iter(item))
        with pytest.raises(DecodeError, match=f"expected S, got N at {name}"):
            from_item({**item, name: {"N": "1"}}, model)


def in_a_function() -> list[tuple[Any, Any]]:
    """Classes whose annotations name one another, and which nobody outside can name."""

    class Tuple(NamedTuple):
        inside: TupleInner | None

    @dataclass
    class TupleInner:
        outside: Tuple | None

    class Dict(TypedDict):
        inside: DictInner | None

    @dataclass
    class DictInner:
        outside: Dict | None

    Tuple.__annotations__["inside"] = Optional[TupleInner]  # noqa: UP045 - made at run time
    Dict.__annotations__["inside"] = Optional[DictInner]  # noqa: UP045
    return [
        (Tuple, Tuple(TupleInner(Tuple(None)))),
        (Dict, {"inside": DictInner({"inside": None})}),
    ]


def test_a_class_being_planned_is_known_by_name_to_what_it_nests() -> None:
    for model, obj in in_a_function():
        item = to_item(obj, model=model)
        assert from_item(item, model) == obj

    class Own(NamedTuple):
        again: Own | None

    class OwnDict(TypedDict):
        again: OwnDict | None

    assert from_item({"again": {"M": {"again": {"NULL": True}}}}, Own) == Own(Own(None))
    read = from_item({"again": {"M": {"again": {"NULL": True}}}}, OwnDict)
    assert read == {"again": {"again": None}}
