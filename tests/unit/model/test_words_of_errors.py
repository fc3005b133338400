"""The exact words, place and model of errors that are about a class, or a whole item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeGuard

import pytest

from ddbstream import Attribute, Epoch, from_item, keys, to_item
from ddbstream._model import codec_for
from ddbstream._model.key_templates import KeyTemplate
from ddbstream._values.attribute_values import from_attribute_value, to_attribute_value
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from ddbstream.models import decoder_source, model
from tests.support.products import holding
from tests.unit.model.reading import slowly

Id = NewType("Id", int)


class Nothing(Enum):
    NO = None
    YES = 1


@dataclass
class Cat:
    a: int


@dataclass
class Dog:
    a: int


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (dict[list[int], int], "dict[list[int], int]: list[int] has no text for a key"),
        (set[bool], "set[bool]: DynamoDB's sets hold text, numbers or binaries"),
        (set[Literal[True]], "set[Literal[True]]: DynamoDB's sets hold text, numbers or binaries"),
        (set[bytearray], "set[bytearray]: a bytearray has no hash"),
        (Literal[frozenset({1})], "Literal[frozenset({1})]: a literal of frozenset"),
        (TypeGuard[int], "TypeGuard[int] has no place in DynamoDB"),
        (complex | int, "complex has no place in DynamoDB"),
        (Annotated[str, Epoch("s")], "Epoch is for datetime, and not for str"),
        (list[int] | list[str], "list[int] | list[str]: two parts are both stored as L, and"),
        (int | Id | float, ": two parts are both stored as N, and nothing tells them apart"),
        (Cat | Dog, ": no field is a Literal of other values in each class, to tell them apart"),
    ],
)
def test_an_annotation_that_cannot_work_is_shown(annotation: Any, words: str) -> None:
    cls = holding(annotation)
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(cls)
    error = caught.value
    assert words in error.problem
    assert words[0] == ":" or error.problem.startswith(words)
    assert (error.path, error.model) == ("a", cls)


def test_an_enum_with_a_none_in_it_is_not_optional() -> None:
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(holding(Nothing | None))
    assert caught.value.problem.endswith("Nothing | None: a member and None are both NULL") or (
        caught.value.problem == "Optional[tests.unit.model.test_words_of_errors.Nothing]: "
        "a member and None are both NULL"
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (list[int], "list[int] is no model: an item is a map"),
        (Any, "Any is no model: an item is a map"),
        (5, "5 has no place in DynamoDB; give it structure= and unstructure="),
        (complex, "complex has no place in DynamoDB; give it structure= and unstructure="),
    ],
)
def test_what_is_no_model_is_the_errors_model(what: Any, words: str) -> None:
    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(what)
    assert (caught.value.problem, caught.value.model) == (words, what)


def test_what_cannot_be_a_key_of_a_cache_is_no_model() -> None:
    with pytest.raises(ModelDefinitionError, match=r"^no model class, but a list$"):
        codec_for([])  # type: ignore[call-overload]


def test_the_class_at_fault_is_named_and_not_the_one_around_it() -> None:
    @dataclass
    class Inner:
        b: complex

    @dataclass
    class Outer:
        inner: Inner

    with pytest.raises(ModelDefinitionError) as caught:
        codec_for(Outer)
    assert (caught.value.path, caught.value.model) == ("inner.b", Inner)


def test_what_a_class_says_of_itself_and_cannot_be() -> None:
    @model(collect="rest")
    @dataclass
    class Rest:
        rest: list[int]

    @keys(PK="{y}", SK="{x}")
    @dataclass
    class Strangers:
        a: str

    @keys(PK="{a}")
    @dataclass
    class NoText:
        a: list[int]

    @keys(PK="{a:05d}")
    @dataclass
    class NoNumber:
        a: str

    for cls, words, path in (
        (Rest, "collect= takes a field of dict[str, Any]", "rest"),
        (Strangers, "Strangers has no field x, y", None),
        (NoText, "it has no text for a key", "a"),
        (NoNumber, "'{a:05d}': a format is for an int", "a"),
    ):
        with pytest.raises(ModelDefinitionError) as caught:
            codec_for(cls)
        error = caught.value
        assert (error.problem, error.path, error.model) == (words, path, cls)


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: Attribute(""), "an attribute's name is text, and not empty"),
        (lambda: Epoch("h"), 'Epoch takes "s", "ms" or "us"'),
        (lambda: model(none="x"), "none= is one of null, omit"),
        (lambda: keys(PK=""), "bad key template '': it is empty at PK"),
        (lambda: keys(PK="{a}{b}"), "bad key template '{a}{b}': nothing separates two fields"),
        (
            lambda: keys(PK="{a!r}"),
            "bad key template '{a!r}': its parts are {field} or {field:format}",
        ),
        (lambda: keys(PK="}"), "bad key template '}': Single '}' encountered in format string"),
        (lambda: to_attribute_value(1, wire="x"), 'wire is either "boto3" or "json"'),  # type: ignore[arg-type]
        (lambda: codec_for(None).encode(5), "expected dict, got int"),  # type: ignore[arg-type]
        (
            lambda: to_attribute_value(-(10**126)),
            "expected a number below 1E+126, got a larger one",
        ),
    ],
)
def test_what_is_refused_at_once(refused: Any, words: str) -> None:
    with pytest.raises((ModelDefinitionError, EncodeError)) as caught:
        refused()
    assert str(caught.value).removesuffix(" at PK") == words.removesuffix(" at PK")


def test_markers_and_templates_show_what_they_were_made_with() -> None:
    shown = repr(Attribute("a", structure=int))
    assert shown == "Attribute(name='a', structure=<class 'int'>)"
    assert repr(KeyTemplate("PK", "P#{id}")) == "KeyTemplate('PK', 'P#{id}')"


class Failing(Mapping[str, Any]):
    """A mapping that cannot be read."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __getitem__(self, name: str) -> Any:
        raise self._error

    def __iter__(self) -> Any:
        raise self._error

    def __len__(self) -> int:
        return 1


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (ValueError("secret"), "unreadable: ValueError"),
        (RecursionError("secret"), "nested deeper than DynamoDB's 32 levels"),
    ],
    ids=["any error", "recursion"],
)
def test_a_mapping_that_cannot_be_read(error: Exception, problem: str) -> None:
    item = Failing(error)
    for read, what, cls in (
        (from_attribute_value, "an attribute value", None),
        (from_item, "an item", None),
        (lambda item: from_item(item, Cat), "an item", Cat),
    ):
        with pytest.raises(DecodeError) as caught:
            read(item)  # type: ignore[operator]
        made = caught.value
        assert (made.problem, made.expected, made.found) == (problem, what, "Python Failing")
        assert made.model is cls


def test_a_mapping_that_cannot_be_written() -> None:
    class Endless(dict[str, Any]):
        def items(self) -> Any:
            raise RecursionError

    with pytest.raises(EncodeError) as caught:
        to_item(Endless(a=1))
    assert str(caught.value) == "expected at most 32 levels, got more"
    holder = holding(Any)
    with pytest.raises(EncodeError) as caught:
        to_item(holder(Endless(a=1)))
    assert str(caught.value) == "expected at most 32 levels, got more (model Holder)"


def test_a_level_too_many() -> None:
    @dataclass
    class Chain:
        next: Chain | None = None

    item: dict[str, Any] = {}
    for _ in range(33):
        item = {"next": {"M": item}}
    with pytest.raises(DecodeError) as caught:
        from_item(item, Chain)
    assert (caught.value.expected, caught.value.found) == ("at most 32 levels", "more")


def test_plain_items_nest_to_32_levels_inside() -> None:
    def nested(levels: int) -> dict[str, Any]:
        value: dict[str, Any] = {}
        for _ in range(levels):
            value = {"a": value}
        return value

    assert from_item(to_item(nested(32))) == nested(32)
    with pytest.raises(EncodeError, match="at most 32 levels"):
        to_item(nested(33))


def test_several_faults_begin_with_the_words_of_the_first() -> None:
    @dataclass
    class Checked:
        a: int

        def __post_init__(self) -> None:
            raise ValueError

    @dataclass
    class Outer:
        checked: Checked
        b: int

    with pytest.raises(DecodeError) as caught:
        from_item({"checked": {"M": {"a": {"N": "1"}}}, "b": {"S": "x"}}, Outer)
    assert str(caught.value).startswith("Checked refused its values with ValueError (test_words_of")
    assert len(caught.value.errors) == 2


def test_where_it_was_raised_is_a_files_name_on_windows_too() -> None:
    names: dict[str, Any] = {}
    code = compile("def f(raw): raise ValueError", "C:\\app\\convert.py", "exec")
    exec(code, names)  # noqa: S102 - our own

    @dataclass
    class Model:
        a: Annotated[int, Attribute(structure=names["f"])]

    with pytest.raises(DecodeError, match=r"N refused with ValueError \(convert.py:1\) at a"):
        from_item({"a": {"N": "1"}}, Model)


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


def test_a_bare_set_is_called_by_its_name() -> None:
    for kind in (set, frozenset):
        with pytest.raises(EncodeError) as caught:
            to_item(holding(kind)({"a", 1}))
        assert (caught.value.expected, caught.value.found) == (kind.__name__, "set")


def test_a_member_of_another_enum_in_a_key() -> None:
    class Colour(Enum):
        RED = "red"

    @keys(PK="{a}")
    @dataclass
    class Model:
        a: Colour

    with pytest.raises(EncodeError) as caught:
        to_item(Model(Nothing.YES))  # type: ignore[arg-type]
    assert (caught.value.expected, caught.value.found) == ("Colour", "Nothing")


def test_a_codec_and_its_source_have_the_models_name() -> None:
    codec: Any = codec_for(dict[str, int])
    assert codec.name == "dict[str, int]"
    codec = codec_for(Cat)
    assert codec.name == "Cat"
    codec.decode({"a": {"N": "1"}})
    assert codec.decode.__code__.co_filename.startswith("<ddbstream Cat ")
    assert decoder_source(Cat)


def test_a_converted_model_of_another_kind_is_refused() -> None:
    @model(structure=lambda stored: Text(stored["t"]), unstructure=lambda made: made.text)
    class Text:
        def __init__(self, text: Any) -> None:
            self.text = text

    assert to_item(Text({"t": b"x"}), wire="json") == {"t": {"B": "eA=="}}
    with pytest.raises(EncodeError) as caught:
        to_item(Text("secret"))
    error = caught.value
    assert (error.expected, error.found) == ("what Text is made of", "Text")
    assert error.model is Text
    for item, path in (({"t": {"N": "x"}}, "t"), ({"x": {"S": "x"}}, None)):
        with pytest.raises(DecodeError) as failed:
            slowly(item, Text)
        assert (failed.value.path, failed.value.model) == (path, Text)

    def nested(levels: int) -> Any:
        value: Any = Decimal(1)
        for _ in range(levels):
            value = {"t": value}
        return value

    assert from_item(to_item(Text(nested(33))), Text).text == nested(32)
    with pytest.raises(EncodeError, match="at most 32 levels"):
        to_item(Text(nested(34)))
