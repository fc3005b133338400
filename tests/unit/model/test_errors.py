"""Errors say where and what, hold no stored value, and show the generated source."""

from __future__ import annotations

import dataclasses
import gc
import linecache
import pickle
import traceback
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest

from ddbstream import (
    Attribute,
    DDBStreamError,
    Epoch,
    diff,
    from_attribute_value,
    from_item,
    keys,
    parse,
    to_item,
)
from ddbstream.exceptions import DecodeError, EncodeError
from ddbstream.models import decoder_source
from tests.support.products import holding
from tests.unit.model.reading import codec_for


class Colour(Enum):
    RED = "red"


@dataclass
class Size:
    width: float
    height: float


@dataclass
class Product:
    id: UUID
    price: Decimal
    colour: Colour = Colour.RED
    size: Size | None = None
    tags: set[str] = field(default_factory=set)
    sizes: list[Size] = field(default_factory=list)
    by_name: dict[str, Size] = field(default_factory=dict)
    raw: bytes = b""
    stock: int = 0
    made: Annotated[datetime | None, Epoch("s")] = None


GOOD: dict[str, Any] = {
    "id": {"S": "12345678-1234-5678-1234-567812345678"},
    "price": {"N": "1.5"},
}


def fault_of(changes: dict[str, Any], model: Any = Product) -> DDBStreamError:
    with pytest.raises(DecodeError) as caught:
        from_item({**GOOD, **changes}, model)
    error = caught.value
    texts = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
    assert "secret" not in "".join(texts)
    assert error.__cause__ is error.__context__ is None
    assert error.model is model
    return error


@pytest.mark.parametrize(
    ("changes", "path", "expected", "found"),
    [
        ({"price": {"S": "secret"}}, "price", "N", "S"),
        ({"price": {"N": "secret"}}, "price", "a number in N", "malformed N"),
        ({"price": {"N": "NaN"}}, "price", "a number in N", "malformed N"),
        ({"price": None}, "price", "N", "nothing"),
        ({"price": "secret"}, "price", "N", "Python str"),
        ({"price": {}}, "price", "N", "no tags"),
        ({"price": {"N": "1", "S": "secret"}}, "price", "N", "2 tags (N, S)"),
        ({"price": {"secret!": "1"}}, "price", "N", "an unknown tag"),
        ({"price": {"NULL": True}}, "price", "N", "NULL"),
        ({"id": {"S": "secret"}}, "id", "a UUID in S", "malformed S"),
        ({"id": {"S": 5}}, "id", "a UUID in S", "malformed S"),
        ({"colour": {"S": "secret"}}, "colour", "a value of Colour in S", "another S"),
        ({"stock": {"N": "1.5"}}, "stock", "an integral number in N", "a fraction"),
        ({"stock": {"N": "1E+9999"}}, "stock", "an integral number in N", "a number out of range"),
        ({"raw": {"B": "secret!"}}, "raw", "bytes or base64 text in B", "malformed B"),
        ({"raw": {"B": "YWI"}}, "raw", "bytes or base64 text in B", "malformed B"),
        ({"size": {"M": {"width": {"N": "1"}}}}, "size.height", "N", "nothing"),
        ({"size": {"M": []}}, "size", "a map of attribute values", "Python list"),
        ({"size": {"L": []}}, "size", "M or NULL", "L"),
        ({"size": {"M": {"width": {"S": "secret"}, "height": {"N": "1"}}}}, "size.width", "N", "S"),
        ({"sizes": {"L": [{"M": {}}, {"S": "secret"}]}}, "sizes[0].width", "N", "nothing"),
        ({"sizes": {"L": {}}}, "sizes", "a list in L", "Python dict"),
        ({"by_name": {"M": {"a.b": {"N": "1"}}}}, 'by_name."a.b"', "M", "N"),
        ({"by_name": {"M": {5: {"N": "1"}}}}, "by_name", "text as attribute names", "Python int"),
        ({"tags": {"SS": ["a", 5]}}, "tags[1]", "text in S", "malformed S"),
        ({"tags": {"NS": ["1"]}}, "tags", "SS", "NS"),
        ({"tags": {"SS": "secret"}}, "tags", "a list in SS", "Python str"),
        (
            {"made": {"N": "1E+20"}},
            "made",
            "ISO 8601 text in S, or an epoch number in N",
            "a number out of range",
        ),
        (
            {"made": {"S": "secret"}},
            "made",
            "ISO 8601 text in S, or an epoch number in N",
            "malformed S",
        ),
    ],
    ids=str,
)
def test_an_error_says_where_what_and_what_instead(
    changes: dict[str, Any], path: str, expected: str, found: str
) -> None:
    error = fault_of(changes)
    assert (error.path, error.expected, error.found) == (path, expected, found)
    more = f", and {len(error.errors) - 1} more" if error.errors else ""
    assert str(error) == f"expected {expected}, got {found} at {path}{more} (model Product)"


@pytest.mark.parametrize(
    "name", ["w", "a.b", "a b", "a[0]", "[0]", 'say "hi"', "a\\b", "é", "\n", ""]
)
def test_a_place_is_printed_as_a_diff_prints_it(name: str) -> None:
    (change,) = diff({"a": {name: [1]}}, {"a": {name: [2]}})
    wrong = {"a": {"M": {name: {"L": [{"X": "1"}]}}}}
    for model in (None, holding(dict[str, list[int]])):
        with pytest.raises(DecodeError) as unread:
            from_item(wrong, model)
        assert unread.value.path == change.path
    if name:  # an empty one is not written
        with pytest.raises(EncodeError) as unwritten:
            to_item({"a": {name: [object()]}})
        assert unwritten.value.path == change.path
    record = {"eventName": "INSERT", "eventID": "e1", "dynamodb": {"NewImage": wrong}}
    (insert,) = parse([record])
    with pytest.raises(DecodeError) as unread:
        insert.new  # noqa: B018 - reading is what fails
    assert unread.value.path == f"NewImage.{change.path}"


def test_a_key_attribute_is_printed_so_too() -> None:
    @keys(**{"my.key": "P#{id}#{name}"})
    @dataclass
    class Keyed:
        id: str
        name: str

    with pytest.raises(DecodeError) as unread:
        from_item({"my.key": {"S": "x"}}, Keyed)
    with pytest.raises(EncodeError) as unwritten:
        to_item(Keyed("a#b", "c"))
    assert unread.value.path == unwritten.value.path == '"my.key"'


def test_an_item_that_is_no_map() -> None:
    for item in (None, [], "x", 5, object()):
        with pytest.raises(DecodeError) as caught:
            from_item(item, Product)  # type: ignore[call-overload]
        assert caught.value.expected == "a map of attribute values"
        assert caught.value.model is Product


def test_all_of_an_items_faults_are_there_at_once() -> None:
    error = fault_of(
        {
            "price": {"S": "secret"},
            "stock": {"N": "secret"},
            "tags": {"SS": [1, "a", 2]},
            "size": {"M": {"width": {"S": "secret"}}},
        }
    )
    assert str(error) == "expected N, got S at price, and 5 more (model Product)"
    assert [single.path for single in error.errors] == [
        "price",
        "size.width",
        "size.height",
        "tags[0]",
        "tags[2]",
        "stock",
    ]
    assert all(single.model is Product for single in error.errors)
    error.located("NewImage", event_id="e1", sequence_number="7")
    assert error.path == "NewImage.price"
    assert error.errors[3].path == "NewImage.tags[0]"
    assert error.errors[3].event_id == "e1"


def test_a_hundred_faults_are_enough() -> None:
    error = fault_of({"sizes": {"L": [{"S": "x"}] * 5000}})
    assert len(error.errors) == 100


def test_errors_can_be_pickled_with_what_they_know() -> None:
    error = fault_of({"price": {"S": "x"}, "stock": {"S": "y"}})
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert str(again) == str(error)
    assert [str(single) for single in again.errors] == [str(single) for single in error.errors]
    assert (again.path, again.expected, again.found, again.model) == ("price", "N", "S", Product)
    with pytest.raises(EncodeError) as caught:
        to_item(Product("x", Decimal(1)))  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert str(again) == str(caught.value)


def test_what_a_class_raises_is_named_by_class_and_line() -> None:
    @dataclass
    class Checked:
        a: int

        def __post_init__(self) -> None:
            raise ValueError(f"secret {self.a}")

    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"N": "1"}}, Checked)
    text = "".join(traceback.format_exception(caught.value))
    assert "secret" not in text
    assert "Checked refused its values with ValueError (test_errors.py:" in text

    @dataclass
    class Outer:
        inner: list[Checked]

    with pytest.raises(DecodeError) as caught:
        from_item({"inner": {"L": [{"M": {"a": {"N": "1"}}}]}}, Outer)
    assert caught.value.path == "inner[0]"


def test_an_interrupt_is_no_decode_error() -> None:
    @dataclass
    class Interrupted:
        a: int

        def __post_init__(self) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        from_item({"a": {"N": "1"}}, Interrupted)


def test_writing_says_where() -> None:
    product = Product(UUID(int=1), Decimal(1), size=Size(1.0, "secret"))  # type: ignore[arg-type]
    with pytest.raises(EncodeError) as caught:
        to_item(product)
    assert str(caught.value) == "expected float, got str at size.height (model Product)"
    product = Product(UUID(int=1), Decimal("NaN"))
    with pytest.raises(EncodeError, match="finite number, got NaN or Infinity at price"):
        to_item(product)
    product = Product(UUID(int=1), Decimal(1), by_name={"x": Size(1.0, 1e300)})
    with pytest.raises(EncodeError, match=r"out of range at by_name\.x\.height"):
        to_item(product)


def test_the_generated_source_shows_in_tracebacks_and_goes_with_its_class() -> None:
    seen: list[str] = []

    def define() -> weakref.ref[Any]:
        @dataclass
        class Looking:
            a: int

            def __post_init__(self) -> None:
                seen.extend(traceback.format_stack())

        from_item({"a": {"N": "1"}}, Looking)
        assert decoder_source(Looking) == decoder_source(Looking)
        return weakref.ref(Looking)

    before = set(linecache.cache)
    gone = define()
    assert any("Looking(x" in line and "<ddbstream " in line for line in seen)
    linecache.checkcache()
    gc.collect()
    assert gone() is None
    assert {name for name in linecache.cache if name.startswith("<ddbstream")} <= before


def test_reading_slowly_says_the_same_as_reading_fast() -> None:
    codec: Any = codec_for(Product)
    assert codec.read_slowly(GOOD) == codec.decode(GOOD)


def test_an_error_about_a_class_that_cannot_be_found_by_name_can_be_pickled() -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"v": {"S": "x"}}, dataclasses.make_dataclass("Nowhere", [("v", int)]))
    again = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert str(again) == str(caught.value)
    assert again.model == "Nowhere"


def test_the_repr_of_an_error_says_as_much_as_its_text() -> None:
    with pytest.raises(DecodeError) as caught:
        from_item({"a": {"S": "x", "N": "1"}})
    assert repr(caught.value) == f"DecodeError({str(caught.value)!r})"
    assert "at a" in repr(caught.value)


def test_a_decoder_is_generated_once_also_for_callers_that_keep_the_method() -> None:
    @dataclass
    class Model:
        a: int

    codec: Any = codec_for(Model)
    kept = codec.decode
    before = {name for name in linecache.cache if name.startswith("<ddbstream")}
    for _ in range(3):
        assert kept({"a": {"N": "1"}}) == Model(1)
    assert codec.source == decoder_source(Model)
    after = {name for name in linecache.cache if name.startswith("<ddbstream")}
    assert len(after - before) == 1


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
    assert str(caught.value).startswith(
        "Checked refused its values with ValueError (test_errors.py:"
    )
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


class Blob:
    def __init__(self, raw: Any) -> None:
        self.raw = raw


def raw_of(blob: Blob) -> Any:
    return blob.raw


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
        (Whole, None, "a", "what Blob is made from", "nothing"),
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
