"""What can never work as a model is refused when it is bound, and says which field and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NewType, TypeGuard, TypeVar

import pytest
from typing_extensions import TypedDict

from ddbstream import Attribute, Epoch, keys, to_attribute_value
from ddbstream.exceptions import EncodeError, ModelDefinitionError
from ddbstream.models import model
from tests.support.products import holding
from tests.unit.model.reading import codec_for

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
        caught.value.problem == "Optional[tests.unit.model.test_definition_errors.Nothing]: "
        "a member and None are both NULL"
    )


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (list[int], "list[int] is no model: an item is a map"),
        (Any, "Any is no model: an item is a map"),
        (5, "5 has no place in DynamoDB; give it structure= and unstructure="),
        (complex, "complex has no place in DynamoDB; give it structure= and unstructure="),
        (Generic, "Generic has no place in DynamoDB; give it structure= and unstructure="),
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


@dataclass
class Typo:
    it: Nowhere  # type: ignore[name-defined] # noqa: F821


class TypoDict(TypedDict):
    it: Nowhere  # type: ignore[name-defined] # noqa: F821


def test_an_annotation_that_names_nothing_is_refused_at_its_field() -> None:
    from typing import NamedTuple

    class TypoTuple(NamedTuple):
        it: Nowhere  # type: ignore[name-defined] # noqa: F821

    for cls in (Typo, TypoDict, TypoTuple):
        with pytest.raises(ModelDefinitionError, match="names 'Nowhere', which") as caught:
            codec_for(cls)
        assert caught.value.path == "it"


def test_a_plain_subclass_of_dict_or_tuple_is_no_model() -> None:
    for base in (dict, tuple):
        sub = type("Sub", (base,), {})
        with pytest.raises(ModelDefinitionError, match="Sub has no place in DynamoDB"):
            codec_for(holding(sub))


T = TypeVar("T")


@dataclass
class Endless(Generic[T]):
    it: T
    rest: Endless[list[T]] | None = None


def test_a_generic_class_that_nests_without_end_is_refused_in_words() -> None:
    with pytest.raises(ModelDefinitionError, match="nested too deeply, or without an end"):
        codec_for(Endless[int])
