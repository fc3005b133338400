"""Dataclasses of every make: what they are is what comes back."""

from __future__ import annotations

import abc
import copy
import pickle
import threading
from collections.abc import Callable
from dataclasses import KW_ONLY, InitVar, dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial, partialmethod
from typing import (
    Any,
    ClassVar,
    Final,
    Generic,
    Optional,
    TypeVar,
)

import pytest

from ddbstream import from_item, to_item
from ddbstream._model.class_specs import MISSING
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import decoder_source
from tests.unit.model.reading import codec_for, quickly, round_trips

T = TypeVar("T")
U = TypeVar("U")
Bound = TypeVar("Bound", bound=int)
Either = TypeVar("Either", int, str)


OPTIONS: list[dict[str, bool]] = [
    {},
    {"slots": True},
    {"frozen": True},
    {"frozen": True, "slots": True},
    {"kw_only": True},
    {"kw_only": True, "frozen": True, "slots": True},
    {"order": True, "unsafe_hash": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_every_kind_of_dataclass_round_trips(options: dict[str, bool]) -> None:
    @partial(dataclass, **options)
    class Model:
        a: int
        b: str = "x"
        c: list[Decimal] = field(default_factory=list)

    made = from_item(round_trips(Model(a=1, b="y", c=[Decimal("1.5")])), Model)
    assert from_item({"a": {"N": "1"}}, Model) == Model(a=1)
    assert type(made) is Model
    assert copy.deepcopy(made) == made


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_post_init_runs_once_for_each_item(options: dict[str, bool]) -> None:
    calls: list[int] = []

    @partial(dataclass, **options)
    class Model:
        a: int

        def __post_init__(self) -> None:
            calls.append(self.a)

    from_item({"a": {"N": "7"}}, Model)
    assert calls == [7]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_constructor_of_the_users_own_is_called(options: dict[str, bool]) -> None:
    @partial(dataclass, init=False, **options)
    class Model:
        a: int

        def __init__(self, a: int) -> None:
            object.__setattr__(self, "a", a + 1)

    assert from_item({"a": {"N": "1"}}, Model).a == 2


def test_a_frozen_subclass_with_new_or_a_calling_metaclass_is_not_stepped_around() -> None:
    class Counting(type):
        count = 0

        def __call__(cls, *args: Any, **kwargs: Any) -> Any:
            Counting.count += 1
            return super().__call__(*args, **kwargs)

    @dataclass(frozen=True)
    class Metaclassed(metaclass=Counting):
        a: int

    @dataclass(frozen=True)
    class Made:
        a: int

        def __new__(cls, *args: Any) -> Made:
            made = super().__new__(cls)
            object.__setattr__(made, "made", True)
            return made

    from_item({"a": {"N": "1"}}, Metaclassed)
    assert Counting.count == 1
    assert from_item({"a": {"N": "1"}}, Made).__dict__ == {"a": 1, "made": True}


@pytest.mark.parametrize(
    "options", [{}, {"slots": True}, {"frozen": True}, {"frozen": True, "slots": True}]
)
def test_only_a_frozen_dataclass_is_filled_around_its_constructor(options: dict[str, bool]) -> None:
    @partial(dataclass, **options)
    class Model:
        a: int

    assert ("_new(_Model)" in decoder_source(Model)) is bool(options.get("frozen"))


def test_frozen_instances_are_whole_and_frozen() -> None:
    @dataclass(frozen=True)
    class Base:
        a: int

    @dataclass(frozen=True, slots=True)
    class Slotted(Base):
        b: int
        c: str = "x"

    made = from_item({"a": {"N": "1"}, "b": {"N": "2"}}, Slotted)
    assert made == Slotted(1, 2)
    assert hash(made) == hash(Slotted(1, 2))
    with pytest.raises(AttributeError):
        made.b = 3  # type: ignore[misc]


def test_defaults_are_taken_and_factories_called_for_each_item() -> None:
    @dataclass
    class Model:
        a: int = 5
        b: list[int] = field(default_factory=list)
        c: str | None = "c"
        d: datetime = datetime(2026, 1, 1)  # noqa: DTZ001 - a naive one

    one, two = from_item({}, Model), from_item({}, Model)
    assert one == two == Model()
    assert one.b is not two.b


def test_absent_optionals_are_none_and_absent_sets_empty() -> None:
    @dataclass
    class Model:
        a: str | None
        b: Optional[int]  # noqa: UP045 - the other spelling
        c: set[str]
        d: frozenset[int]
        e: set[bytes] | None
        f: None
        g: set

    assert from_item({}, Model) == Model(None, None, set(), frozenset(), None, None, set())


def test_null_in_a_field_that_takes_no_none_is_refused() -> None:
    @dataclass
    class Model:
        a: int = 5

    with pytest.raises(DecodeError, match="expected N, got NULL at a"):
        from_item({"a": {"NULL": True}}, Model)


def test_empty_sets_are_left_out_where_reading_restores_them() -> None:
    @dataclass
    class Model:
        a: set[str]
        b: frozenset[int] = frozenset()
        c: set[bytes] = field(default_factory=set)

    assert round_trips(Model(set())) == {}

    @dataclass
    class Full:
        a: set[str] = field(default_factory=lambda: {"x"})

    with pytest.raises(EncodeError, match="no empty set") as caught:
        to_item(Full(set()))
    assert caught.value.path == "a"

    @dataclass
    class Nested:
        a: list[set[str]]
        b: set[str] | None = None

    with pytest.raises(EncodeError) as caught:
        to_item(Nested([{"x"}, set()]))
    assert caught.value.path == "a[1]"
    with pytest.raises(EncodeError) as caught:
        to_item(Nested([], set()))
    assert caught.value.path == "b"


def test_init_vars_are_read_and_not_stored() -> None:
    @dataclass
    class Model:
        a: int
        b: InitVar[int]
        c: InitVar[str] = "x"
        d: int = field(init=False, default=0)

        def __post_init__(self, b: int, c: str) -> None:
            self.d = self.d or self.a + b

    assert from_item({"a": {"N": "1"}, "b": {"N": "2"}}, Model).d == 3
    with pytest.raises(EncodeError) as caught:
        to_item(Model(1, 2))
    assert caught.value.path == "b"

    @dataclass
    class Defaulted:
        a: int
        b: InitVar[int] = 2

    assert round_trips(Defaulted(1)) == {"a": {"N": "1"}}


def test_fields_outside_the_constructor_are_restored_when_stored() -> None:
    @dataclass(frozen=True)
    class Model:
        a: int
        b: int = field(init=False)
        c: int = field(init=False, default=9)

        def __post_init__(self) -> None:
            object.__setattr__(self, "b", self.a * 2)

    assert round_trips(Model(1)) == {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "9"}}
    assert from_item({"a": {"N": "1"}}, Model) == Model(1)
    assert from_item({"a": {"N": "1"}, "b": {"N": "7"}}, Model).b == 7


def test_keyword_only_fields_may_stand_anywhere() -> None:
    @dataclass
    class Model:
        a: int = 1
        _: KW_ONLY = None  # type: ignore[assignment]
        b: int
        c: int = 3

    @dataclass
    class Sub(Model):
        d: str = "d"

    round_trips(Model(b=2))
    round_trips(Sub(5, "x", b=6, c=7))


def test_class_variables_are_no_fields() -> None:
    @dataclass
    class Model:
        kind: ClassVar[str] = "model"
        a: Final[int] = 1

    assert round_trips(Model()) == {"a": {"N": "1"}}


def test_inheritance_from_plain_and_abstract_classes() -> None:
    class Base(abc.ABC):
        @abc.abstractmethod
        def area(self) -> float: ...

    @dataclass
    class Shape(Base):
        side: float

        def area(self) -> float:
            return self.side

    @dataclass
    class Named(Shape):
        name: str = ""

    round_trips(Named(1.5, "x"))


@dataclass
class Page(Generic[T]):
    items: list[T]
    first: T | None = None


@dataclass
class IntPage(Page[int]):
    total: int = 0


@dataclass
class ListPage(Page[list[U]], Generic[U]):
    more: U | None = None


@dataclass
class Shadow(Page[str], Generic[T]):
    own: T | None = None


@dataclass
class Bounded(Generic[Bound, Either]):
    a: Bound
    b: Either


def test_generic_dataclasses_take_their_arguments() -> None:
    assert round_trips(Page([1], 2), Page[int])["first"] == {"N": "2"}
    round_trips(Page([Page(["x"])]), Page[Page[str]])
    round_trips(IntPage([1], 2, 3))
    round_trips(ListPage([[1]], [2], 3), ListPage[int])
    round_trips(Shadow(["x"], "y", 5), Shadow[int])
    with pytest.raises(DecodeError, match="items"):
        from_item({"items": {"L": [{"S": "x"}]}}, Page[int])


def test_type_variables_that_nothing_stands_for_are_their_bound_or_any() -> None:
    round_trips(Page(["x", Decimal(1)], None))
    round_trips(Bounded(1, "x"))
    round_trips(Bounded(1, 2))
    with pytest.raises(DecodeError):
        from_item({"a": {"S": "x"}, "b": {"S": "x"}}, Bounded)


@dataclass
class Tree:
    value: int
    children: list[Tree] = field(default_factory=list)
    by_name: dict[str, Tree] = field(default_factory=dict)
    parent: Tree | None = None


@dataclass
class Left:
    right: Right | None = None


@dataclass
class Right:
    left: Left | None = None
    both: tuple[Left, Right] | None = None


def test_recursive_and_mutually_recursive_models() -> None:
    round_trips(Tree(1, [Tree(2, [Tree(3)])], {"x": Tree(4)}, Tree(5)))
    round_trips(Left(Right(Left(Right()), (Left(), Right()))))


def test_classes_defined_inside_functions_know_each_other() -> None:
    @dataclass
    class Node:
        value: int
        others: list[Other] = field(default_factory=list)
        own: Node | None = None

    @dataclass
    class Other:
        node: Node | None = None

    round_trips(Node(1, [Other(Node(2))], Node(3)))


def test_a_name_that_cannot_be_found_fails_when_the_class_is_bound() -> None:
    def define() -> Any:
        class Hidden:
            pass

        @dataclass
        class Model:
            a: Hidden

        return Model

    with pytest.raises(ModelDefinitionError, match="'Hidden', which cannot be found") as caught:
        codec_for(define())
    assert caught.value.path == "a"
    assert caught.value.model.__name__ == "Model"


def test_a_model_used_twice_is_one_plan_and_reads_the_same() -> None:
    @dataclass(frozen=True)
    class Size:
        w: int

    @dataclass
    class Model:
        a: Size
        b: Size
        c: list[Size]
        d: dict[str, Size]
        e: Size | None = None

    round_trips(Model(Size(1), Size(2), [Size(3)], {"x": Size(4)}, Size(5)))


def test_a_subclass_is_another_model() -> None:
    @dataclass
    class Base:
        a: int

    codec_for(Base)

    @dataclass
    class Sub(Base):
        b: int

    assert round_trips(Sub(1, 2)) == {"a": {"N": "1"}, "b": {"N": "2"}}
    assert codec_for(Sub) is codec_for(Sub) is not codec_for(Base)


def test_models_inside_plain_data_are_written_by_their_class() -> None:
    assert to_item({"a": [IntPage([1])], "b": Page([]), "c": {"d": {"e": Page([])}}}) == {
        "a": {"L": [{"M": to_item(IntPage([1]))}]},
        "b": {"M": to_item(Page([]))},
        "c": {"M": {"d": {"M": {"e": {"M": to_item(Page([]))}}}}},
    }

    @dataclass
    class Holder:
        a: Any

    assert to_item(Holder([IntPage([1])]))["a"] == {"L": [{"M": to_item(IntPage([1]))}]}


def test_an_instance_of_another_class_is_refused() -> None:
    with pytest.raises(EncodeError, match="expected IntPage, got Tree"):
        codec_for(IntPage).encode(Tree(1))  # type: ignore[arg-type]
    with pytest.raises(EncodeError, match="expected a model's instance or a mapping, got int"):
        to_item(5)


@pytest.mark.parametrize(
    "model", [int, str, list[int], int | None, "Tree", 5, set[str], Any, object()]
)
def test_what_is_no_class_with_fields_is_no_model(model: Any) -> None:
    with pytest.raises(ModelDefinitionError):
        from_item({}, model)


def test_codecs_are_made_by_several_threads_at_once() -> None:
    @dataclass
    class Model:
        a: list[Tree]
        b: int = 0

    obj = Model([Tree(1)], 2)
    item = to_item(obj)
    failures: list[BaseException] = []

    def use() -> None:
        try:
            for _ in range(50):
                assert from_item(item, Model) == obj
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_python_types_that_writing_takes_for_a_number() -> None:
    @dataclass
    class Model:
        i: Any = 0
        f: Any = 0.0
        d: Any = Decimal(0)

    Model.__annotations__.update(i=int, f=float, d=Decimal)
    cases: list[tuple[str, Any, str | None]] = [
        ("i", Decimal("5.0"), "5.0"),
        ("i", 5, "5"),
        ("i", True, None),
        ("i", 5.0, None),
        ("i", Decimal("5.5"), None),
        ("i", Decimal("NaN"), None),
        ("f", 5, "5"),
        ("f", 2**53, "9007199254740992"),
        ("f", 2**53 + 1, None),
        ("f", 10**400, None),
        ("f", True, None),
        ("f", Decimal(1), None),
        ("d", 5, "5"),
        ("d", 0.5, None),
        ("d", False, None),
    ]
    kinds: dict[str, Callable[..., Any]] = {"i": int, "f": float, "d": Decimal}
    for name, value, text in cases:

        @dataclass
        class One:
            a: kinds[name]  # type: ignore[valid-type]

        if text is None:
            with pytest.raises(EncodeError) as caught:
                to_item(One(value))
            assert caught.value.path == "a"
        else:
            assert to_item(One(value)) == {"a": {"N": text}}
            assert from_item(to_item(One(value)), One) == One(value)


def test_a_field_that_an_instance_lost() -> None:
    @dataclass
    class Lost:
        a: int
        b: int | None = field(default_factory=lambda: None)

    obj = Lost(1)
    del obj.b
    assert to_item(obj) == {"a": {"N": "1"}}
    del obj.a
    with pytest.raises(EncodeError) as caught:
        to_item(obj)
    assert str(caught.value).startswith("expected N, got nothing at a (model ")


def test_a_frozen_dataclass_keeps_nothing_that_it_only_takes() -> None:
    @dataclass(frozen=True)
    class Model:
        a: int
        taken: InitVar[int] = 5

    assert vars(quickly({"a": {"N": "1"}}, Model)) == {"a": 1}


def test_a_frozen_dataclass_with_a_constructor_put_in_later_is_made_by_that() -> None:
    @dataclass(frozen=True)
    class Model:
        a: int

    def init(self: Any, more: int, a: int) -> None:
        object.__setattr__(self, "a", a + more)

    Model.__init__ = partialmethod(init, 10)  # type: ignore[method-assign,assignment]
    assert quickly({"a": {"N": "1"}}, Model).a == 11


def test_missing_stays_itself() -> None:
    assert pickle.loads(pickle.dumps(MISSING)) is MISSING  # noqa: S301 - our own
    assert repr(MISSING) == "MISSING"
