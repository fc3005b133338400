"""The exact place, expectation and finding of errors that the other tests only see raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import pytest
from typing_extensions import TypedDict

from ddbstream import Attribute, from_item, keys, to_item
from ddbstream._model import codec_for
from ddbstream.exceptions import DecodeError, EncodeError, ModelDefinitionError
from tests.support.products import holding
from tests.unit.model.reading import quickly, slowly


class Blob:
    def __init__(self, raw: Any) -> None:
        self.raw = raw


def raw_of(blob: Blob) -> Any:
    return blob.raw


def never(members: Any) -> Any:
    pytest.fail(f"called with {members}")


@dataclass
class Cat:
    lives: int
    kind: Literal["cat"] = "cat"


@dataclass
class Dog:
    kind: Literal["dog"] = "dog"


@dataclass
class Nothing:
    pass


Whole = Annotated[Blob, Attribute(structure=Blob, unstructure=raw_of)]
Half = Annotated[int, Attribute(structure=abs)]
MORE = ("at most 32 levels", "more")


@pytest.mark.parametrize(
    ("kind", "wire", "path", "expected", "found"),
    [
        (list[int], {"S": "x"}, "a", "L", "S"),
        (tuple[int, str], {"S": "x"}, "a", "L", "S"),
        (tuple[int, str], {"L": 5}, "a", "a list in L", "Python int"),
        (set[str], {"L": []}, "a", "SS", "L"),
        (list[str], {"L": {"x"}}, "a", "a list in L", "Python set"),
        (datetime, {"BOOL": True}, "a", "S or N", "BOOL"),
        (timedelta, {"BOOL": True}, "a", "N or S", "BOOL"),
        (Literal[1, "x"], {"BOOL": True}, "a", "N or S (Literal[1, 'x'])", "BOOL"),
        (float, {"N": "1e400"}, "a", "a number in N", "a number out of range"),
        (None, {"S": "x"}, "a", "NULL", "S"),
        (None, {"NULL": "x"}, "a", "true in NULL", "Python str"),
        (str | None, {"NULL": "x"}, "a", "true in NULL", "Python str"),
        (dict[str, int], {"M": 5}, "a", "a map of attribute values", "Python int"),
        (Nothing, {"M": 5}, "a", "a map of attribute values", "Python int"),
        (Nothing, {"M": []}, "a", "a map of attribute values", "Python list"),
        (Cat | Dog, {"M": 5}, "a", "a map of attribute values", "Python int"),
        (Cat | Dog, {"M": {}}, "a.kind", f"the tag of {Cat | Dog}", "nothing"),
        (Cat | Dog, {"M": {"kind": {"N": "1"}}}, "a.kind", f"a tag of {Cat | Dog}", "another N"),
        (set[str] | int, None, "a", "N or SS", "nothing"),
        (int | set[str], None, "a", "N or SS", "nothing"),
        (Whole, None, "a", "what Blob is made of", "nothing"),
        (Whole, {"S": 5}, "a", "text in S", "Python int"),
        (Half, None, "a", "N", "nothing"),
        (Half, {"S": "x"}, "a", "N", "S"),
    ],
)
def test_reading_says(kind: Any, wire: Any, path: str, expected: str, found: str) -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({} if wire is None else {"a": wire}, holding(kind))
    assert (caught.value.path, caught.value.expected, caught.value.found) == (path, expected, found)
    assert not caught.value.errors


@pytest.mark.parametrize(
    ("kind", "value", "expected", "found"),
    [
        (float, 2**53 + 1, "float", "an int that no float equals"),
        (float, 10**400, "float", "an int that no float equals"),
        (dict[Literal["x"], int], {"y": 1}, "Literal['x']", "another str"),
        (dict[Literal["x"], int], {5: 1}, "Literal['x']", "another int"),
    ],
    ids=["2**53 + 1", "10**400", "y", "5"],
)
def test_writing_says(kind: Any, value: Any, expected: str, found: str) -> None:
    with pytest.raises(EncodeError) as caught:
        to_item(holding(kind)(value))
    assert (caught.value.path, caught.value.expected, caught.value.found) == ("a", expected, found)


def test_two_keys_of_one_text() -> None:
    class Same(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return 7

        def __eq__(self, other: object) -> bool:
            return self is other

    with pytest.raises(EncodeError) as caught:
        to_item(holding(dict[str, int])({Same("x"): 1, Same("x"): 2}))
    assert caught.value.problem == "two keys are written as the same text"


@pytest.mark.parametrize(
    ("kind", "wire", "path"),
    [
        (set[str], {"SS": ["x", 5]}, "a[1]"),
        (tuple[int, int], {"L": [{"N": "1"}, {"S": "x"}]}, "a[1]"),
        (list[int], {"L": [{"N": "1"}, {"S": "x"}]}, "a[1]"),
        (dict[float, str], {"M": {"1": {"S": "x"}, "1.0": {"S": "y"}}}, 'a."1.0"'),
    ],
)
def test_a_conversion_is_not_asked_about_faulty_parts(kind: Any, wire: Any, path: str) -> None:
    model = holding(Annotated[kind, Attribute(structure=never)])
    with pytest.raises(DecodeError) as caught:
        from_item({"a": wire}, model)
    assert caught.value.path == path
    assert not caught.value.errors


def nested(kind: Any, wire: Any, levels: int) -> tuple[Any, Any]:
    for _ in range(levels):
        kind, wire = list[kind], {"L": [wire]}
    return holding(kind), {"a": wire}


@pytest.mark.parametrize("kind", [(str, {"S": "x"}), (set[str], {"SS": ["x"]})])
def test_lists_are_read_slowly_32_levels_deep(kind: tuple[Any, Any]) -> None:
    model, item = nested(*kind, 32)
    assert to_item(slowly(item, model)) == item
    model, item = nested(*kind, 33)
    with pytest.raises(DecodeError) as caught:
        slowly(item, model)
    assert caught.value.path == "a" + 32 * "[0]"
    assert (caught.value.expected, caught.value.found) == MORE


def test_anything_in_a_list_is_read_slowly_32_levels_deep() -> None:
    model = holding(list[Any])
    item: dict[str, Any] = nested(str, {"S": "x"}, 32)[1]
    assert to_item(slowly(item, model)) == item
    with pytest.raises(DecodeError, match="32 levels"):
        slowly({"a": {"L": [item["a"]]}}, model)


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


@keys(PK="{a}", SK="S")
@dataclass
class Keyed:
    a: str


@keys(PK="A#{a}", SK="B#{a}")
@dataclass
class Twice:
    a: str


@pytest.mark.parametrize("read", [from_item, slowly])
@pytest.mark.parametrize(
    ("model", "pk", "sk", "path"),
    [
        (Keyed, "x", "T", "SK"),
        (Keyed, 5, "S", "PK"),
        (Twice, "A#x", "B#y", "SK"),
    ],
)
def test_a_key_of_another_text_is_refused(
    read: Callable[[Any, Any], Any], model: Any, pk: Any, sk: str, path: str
) -> None:
    with pytest.raises(DecodeError) as caught:
        read({"PK": {"S": pk}, "SK": {"S": sk}}, model)
    assert caught.value.path == path


@dataclass
class Floats:
    a: float
    b: float
    c: float = 0.5


@pytest.mark.parametrize("text", ["1_0", " 1", "nan", "1e400"])
@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_each_of_several_floats_is_checked(name: str, text: str) -> None:
    item: Any = {"a": {"N": "1"}, "b": {"N": "2"}, "c": {"N": "3"}}
    assert quickly(item, Floats) == Floats(1, 2, 3)
    with pytest.raises(DecodeError) as caught:
        from_item({**item, name: {"N": text}}, Floats)
    assert caught.value.path == name


def test_a_collected_attributes_name_is_text() -> None:
    from ddbstream.models import model

    @model(collect="rest")
    @dataclass
    class Open:
        rest: dict[str, Any] = field(default_factory=dict)

    with pytest.raises(DecodeError, match="expected text as attribute names, got Python int"):
        from_item({5: {"S": "x"}}, Open)  # type: ignore[dict-item]
