"""Options of a class, conversions by field, by class and by registry."""

from __future__ import annotations

from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from typing import Annotated, Any, NewType

import pytest

from ddbstream import Attribute, Epoch, from_item, keys, to_item
from ddbstream._model.key_templates import KeyTemplate
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import Registry, decoder_source, model
from tests.unit.model.reading import codec_for, round_trips


class Money:
    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)

    @classmethod
    def of(cls, stored: Any) -> Money:
        if not isinstance(stored, Decimal):
            raise TypeError("secret")
        return cls(int(stored))


def cents(money: Money) -> int:
    return money.cents


@pytest.mark.parametrize(
    ("rename", "name"),
    [
        ("camelCase", "firstNameOf"),
        ("PascalCase", "FirstNameOf"),
        ("kebab-case", "first-name-of"),
        ("SCREAMING_SNAKE_CASE", "FIRST_NAME_OF"),
        (lambda name: f"x_{name}", "x_first_name_of"),
    ],
)
def test_rename_policies(rename: Any, name: str) -> None:
    @model(rename=rename)
    @dataclass
    class Model:
        first_name_of: str
        other_one: Annotated[str, Attribute("Kept")] = ""

    assert round_trips(Model("x")) == {name: {"S": "x"}, "Kept": {"S": ""}}


def test_a_rename_is_the_classs_own_and_keys_win_over_it() -> None:
    @dataclass
    class Inner:
        some_value: int

    @model(rename="camelCase")
    @keys(PK="P#{some_id}")
    @dataclass
    class Outer:
        some_id: str
        my_inner: Inner

    assert round_trips(Outer("a", Inner(1))) == {
        "PK": {"S": "P#a"},
        "myInner": {"M": {"some_value": {"N": "1"}}},
    }


def test_two_fields_stored_under_one_name_are_refused() -> None:
    @dataclass
    class Model:
        a: int
        b: Annotated[int, Attribute("a")]

    with pytest.raises(ModelDefinitionError, match="stored as a"):
        codec_for(Model)


def test_unknown_attributes_are_ignored_or_forbidden() -> None:
    @dataclass
    class Lenient:
        a: int = 0

    @model(unknown="forbid")
    @dataclass
    class Strict:
        a: int = 0

    item = {"a": {"N": "1"}, "b": {"S": "secret"}, "c": 5}
    assert from_item(item, Lenient) == Lenient(1)
    round_trips(Strict(1))
    with pytest.raises(DecodeError, match="besides those of Strict") as caught:
        from_item(item, Strict)
    assert [error.path for error in caught.value.errors] == ["b", "c"]
    assert "secret" not in str(caught.value)


def test_unknown_attributes_are_collected_and_given_back() -> None:
    @model(collect="rest")
    @dataclass
    class Model:
        a: int = 0
        rest: dict[str, Any] = field(default_factory=dict)
        b: str = "b"

    item = {"a": {"N": "1"}, "c": {"L": [{"S": "x"}]}, "rest": {"S": "y"}}
    made = from_item(item, Model)
    assert made == Model(1, {"c": ["x"], "rest": "y"})
    assert round_trips(made) == {**item, "b": {"S": "b"}}
    assert from_item({}, Model).rest == {}
    with pytest.raises(DecodeError) as caught:
        from_item({"c": {"N": "x"}}, Model)
    assert caught.value.path == "c"
    with pytest.raises(EncodeError, match="name of a field") as refused:
        to_item(Model(1, {"a": 2}))
    assert refused.value.path == "a"


def test_a_collector_may_be_typed() -> None:
    @model(collect="rest")
    @dataclass
    class Model:
        rest: dict[str, int]

    round_trips(Model({"a": 1}))
    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"S": "x"}}, Model)
    assert caught.value.path == "a"


def test_a_collector_that_cannot_be_is_refused() -> None:
    @model(collect="rest")
    @dataclass
    class Wrong:
        rest: list[int]

    @model(collect="nothing")
    @dataclass
    class Missing:
        a: int

    for cls in (Wrong, Missing):
        with pytest.raises(ModelDefinitionError):
            codec_for(cls)


def test_none_is_null_or_left_out_where_absence_reads_as_none() -> None:
    @dataclass
    class Null:
        a: int | None = None

    @model(none="omit")
    @dataclass
    class Omit:
        a: int | None
        b: int | None = None
        c: int | None = 5
        d: None = None
        e: list[int | None] = field(default_factory=list)

    assert round_trips(Null()) == {"a": {"NULL": True}}
    assert round_trips(Omit(None, None, None, None, [None])) == {
        "c": {"NULL": True},
        "e": {"L": [{"NULL": True}]},
    }


def test_a_subclass_inherits_options_one_by_one() -> None:
    @model(rename="camelCase", none="omit")
    @dataclass
    class Base:
        some_a: int | None = None

    @model(none="null")
    @dataclass
    class Sub(Base):
        some_b: int | None = None

    assert round_trips(Base()) == {}
    assert round_trips(Sub()) == {"someA": {"NULL": True}, "someB": {"NULL": True}}


@pytest.mark.parametrize(
    "options", [{"rename": "snake"}, {"unknown": "collect"}, {"none": "absent"}, {"rename": 5}]
)
def test_an_option_that_cannot_be_is_refused_at_once(options: dict[str, Any]) -> None:
    with pytest.raises(ModelDefinitionError, match="is one of"):
        model(**options)
    with pytest.raises(ModelDefinitionError, match="is one of"):
        Registry().register(Money, **options)


@pytest.mark.parametrize(
    "refused", [lambda: Attribute(""), lambda: Attribute(5), lambda: Epoch("h")]
)
def test_a_marker_that_cannot_be_is_refused_at_once(refused: Any) -> None:
    with pytest.raises(ModelDefinitionError):
        refused()


def test_markers_are_values() -> None:
    assert Attribute("a") == Attribute("a") != Attribute("b")
    assert hash(Epoch("s")) == hash(Epoch("s"))
    assert Epoch("s") != Epoch("ms")
    assert Epoch("s") != Attribute("s")
    assert repr(Attribute("a")) == "Attribute(name='a')"
    assert repr(Epoch("ms")) == "Epoch(unit='ms')"


@dataclass
class Prices:
    a: Annotated[Money, Attribute("A", structure=Money.of, unstructure=cents)]
    b: Annotated[Money | None, Attribute(structure=Money.of, unstructure=cents)] = None
    c: list[Annotated[Money, Attribute(structure=Money.of, unstructure=cents)]] = field(
        default_factory=list
    )


def test_conversions_of_a_field() -> None:
    item = round_trips(Prices(Money(1), Money(2), [Money(3)]))
    assert item == {"A": {"N": "1"}, "b": {"N": "2"}, "c": {"L": [{"N": "3"}]}}
    assert round_trips(Prices(Money(1)))["b"] == {"NULL": True}


def test_what_a_conversion_raises_is_named_and_not_printed() -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"A": {"S": "x"}}, Prices)
    error = caught.value
    assert (error.path, error.expected) == ("A", "Money")
    assert error.found is not None
    assert error.found.startswith("S refused with TypeError (test_options.py:")
    assert "secret" not in str(error)
    assert error.__cause__ is error.__context__ is None

    def raising(money: Money) -> int:
        raise ValueError("secret")

    @dataclass
    class Bad:
        a: Annotated[Money, Attribute(structure=Money.of, unstructure=raising)]

    with pytest.raises(EncodeError, match=r"raised ValueError \(test_options.py:") as refused:
        to_item(Bad(Money(1)))
    assert refused.value.path == "a"
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_a_value_of_another_class_is_refused_before_it_is_taken_apart() -> None:
    with pytest.raises(EncodeError, match="expected Money, got int"):
        to_item(Prices(5))  # type: ignore[arg-type]


def test_one_direction_may_be_converted() -> None:
    @dataclass
    class Model:
        a: Annotated[str, Attribute(structure=str.upper)]
        b: Annotated[int, Attribute(unstructure=abs)] = 0

    assert from_item({"a": {"S": "x"}}, Model) == Model("X")
    assert to_item(Model("x", -5)) == {"a": {"S": "x"}, "b": {"N": "5"}}


def test_conversions_of_a_class_make_a_model_of_any_class() -> None:
    @model(structure=lambda stored: Point(**stored), unstructure=vars)
    class Point:
        def __init__(self, x: Decimal, y: Decimal) -> None:
            self.x, self.y = x, y

        def __eq__(self, other: object) -> bool:
            return vars(self) == vars(other)

        __hash__ = None  # type: ignore[assignment]

    assert round_trips(Point(Decimal(1), Decimal(2))) == {"x": {"N": "1"}, "y": {"N": "2"}}

    @dataclass
    class Holder:
        p: Point
        q: Point | None = None

    round_trips(Holder(Point(Decimal(1), Decimal(2))))
    assert from_item(to_item({"p": Point(Decimal(1), Decimal(2))})) == {"p": {"x": 1, "y": 2}}


def test_conversions_in_keys_and_map_keys() -> None:
    kind = Annotated[
        Money,
        Attribute(structure=lambda text: Money(int(text)), unstructure=lambda m: str(m.cents)),
    ]

    @keys(PK="M#{a}")
    @dataclass
    class Model:
        a: kind  # type: ignore[valid-type]
        b: dict[kind, int]  # type: ignore[valid-type]

    assert round_trips(Model(Money(5), {Money(6): 1})) == {
        "PK": {"S": "M#5"},
        "b": {"M": {"6": {"N": "1"}}},
    }

    @keys(PK="M#{a}")
    @dataclass
    class NoText:
        a: Annotated[Money, Attribute(structure=Money.of, unstructure=cents)]

    with pytest.raises(EncodeError, match="Money as text, got int"):
        to_item(NoText(Money(5)))


def test_a_registry_converts_without_touching_classes_or_other_registries() -> None:
    @dataclass
    class Price:
        amount: Money
        more: list[Money] = field(default_factory=list)

    registry = Registry()
    registry.register(Money, structure=Money.of, unstructure=cents)
    assert round_trips(Price(Money(1), [Money(2)]), registry=registry)["amount"] == {"N": "1"}
    assert registry.from_item(registry.to_item(Price(Money(1))), Price) == Price(Money(1))
    assert registry.to_item(Price(Money(1)), wire="json") == registry.to_item(Price(Money(1)))
    assert registry.to_item({"a": Money(5)}) == {"a": {"N": "5"}}
    assert registry.from_item({"a": {"N": "5"}}) == {"a": Decimal(5)}
    for other in (None, Registry()):
        with pytest.raises(ModelDefinitionError, match="Money has no place in DynamoDB"):
            codec_for(Price, other)
    assert codec_for(Price, registry) is codec_for(Price, registry)


def test_a_registry_wins_over_the_class_and_knows_new_types() -> None:
    Cents = NewType("Cents", int)

    @model(rename="PascalCase", unknown="forbid")
    @dataclass
    class Model:
        some_value: Cents = Cents(0)

    registry = Registry()
    registry.register(Model, rename="camelCase", keys={"PK": "M"})
    registry.register(Cents, structure=lambda n: int(n) * 100, unstructure=lambda n: n // 100)
    assert round_trips(Model(Cents(500)), registry=registry) == {
        "PK": {"S": "M"},
        "someValue": {"N": "5"},
    }
    assert round_trips(Model(Cents(500))) == {"SomeValue": {"N": "500"}}
    with pytest.raises(DecodeError):
        registry.from_item({"PK": {"S": "M"}, "x": {"N": "5"}}, Model)


def test_a_registry_collects_too() -> None:
    @dataclass
    class Model:
        rest: dict[str, Any] = field(default_factory=dict)

    registry = Registry()
    registry.register(Model, collect="rest")
    assert registry.from_item({"a": {"S": "x"}}, Model) == Model({"a": "x"})


def test_a_name_may_stand_on_a_part_of_an_optional() -> None:
    @dataclass
    class Model:
        a: Annotated[str, Attribute("A")] | None = None

    assert round_trips(Model("x")) == {"A": {"S": "x"}}


def test_registering_again_is_seen() -> None:
    @dataclass
    class Price:
        amount: Money

    registry = Registry()
    registry.register(Money, structure=Money.of, unstructure=cents)
    assert registry.to_item(Price(Money(5))) == {"amount": {"N": "5"}}
    registry.register(Money, structure=Money.of, unstructure=lambda money: str(money.cents))
    assert registry.to_item(Price(Money(5))) == {"amount": {"S": "5"}}


def test_a_registrys_own_annotations_need_no_hash() -> None:
    assert Registry().options([]) is None


def test_the_generated_source_prints() -> None:
    registry = Registry()
    registry.register(Money, structure=Money.of, unstructure=cents)

    @dataclass
    class Price:
        amount: Money

    assert decoder_source(Price, registry).startswith("def decode(item):")
    assert decoder_source(None) == ""


def test_markers_and_templates_show_what_they_were_made_with() -> None:
    shown = repr(Attribute("a", structure=int))
    assert shown == "Attribute(name='a', structure=<class 'int'>)"
    assert repr(KeyTemplate("PK", "P#{id}")) == "KeyTemplate('PK', 'P#{id}')"


def test_an_attribute_name_that_is_no_text() -> None:
    @model(collect="rest")
    @dataclass
    class Model:
        rest: dict[str, Any] = field(default_factory=dict)

    with pytest.raises(DecodeError) as caught:
        from_item({5: {"S": "x"}}, Model)  # type: ignore[dict-item]
    error = caught.value
    assert (error.path, error.expected, error.found) == (
        None,
        "text as attribute names",
        "Python int",
    )


def test_a_collected_attribute_with_a_fields_name() -> None:
    cls = make_dataclass("Model", [("a", int), ("rest", dict[str, Any])])
    with pytest.raises(EncodeError) as refused:
        to_item(model(collect="rest")(cls)(1, {"a": 2}))
    assert refused.value.problem == "a collected attribute has the name of a field's"
    assert refused.value.path == "a"
