"""Text that is not read yet is the mapping or the list that it would be, whoever asks for what."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Mapping
from typing import Any

import pytest

pytest.importorskip("msgspec")

from ddbstream import StreamRouter, parse
from ddbstream._diff.values import ABSENT
from ddbstream._values.json_values import Unread
from ddbstream._wire import unread_image
from ddbstream._wire.unread import unread_answer, unread_record
from ddbstream._wire.unread_lines import unread_line
from ddbstream.exceptions import PayloadError
from tests.unit.wire.payloads import lambda_record

RECORD = lambda_record()
CHANGE = RECORD["dynamodb"]
IMAGE = CHANGE["NewImage"]
LINE = {"eventName": "INSERT", "eventSource": "aws:dynamodb", "dynamodb": {"NewImage": IMAGE}}


def _record() -> Any:
    return unread_record(json.dumps(RECORD).encode())


def _of_page() -> Any:
    return unread_answer(json.dumps({"Records": [RECORD]}).encode())[0].view(0)


def _line() -> Any:
    # A line of an export has little of what it stands for; the rest is made when it is asked for.
    return unread_line(json.dumps({"Item": IMAGE}).encode(), {}, (), lambda: LINE)


ROADS: dict[str, tuple[Callable[[], Any], Mapping[str, Any]]] = {
    "a record": (_record, RECORD),
    "a record of a page": (_of_page, RECORD),
    "a line of an export": (_line, LINE),
    "the change of a line": (lambda: _line().change, LINE["dynamodb"]),
    "a change": (lambda: _record().change, CHANGE),
    "an image": (lambda: _record().change.view("NewImage"), IMAGE),
}


@pytest.fixture(params=sorted(ROADS))
def road(request: pytest.FixtureRequest) -> tuple[Callable[[], Any], Mapping[str, Any]]:
    return ROADS[request.param]


def test_it_has_the_members_of_the_mapping_that_it_is(road: Any) -> None:
    make, expected = road
    assert isinstance(make(), (Unread, Mapping))
    assert list(make()) == list(expected)
    assert len(make()) == len(expected)
    assert make() == expected
    assert dict(make()) == expected
    assert make().parsed() == expected
    for name, value in expected.items():
        assert make()[name] == make().get(name, 1) == make().view(name) == value
        assert name in make()


def test_it_has_no_others(road: Any) -> None:
    make, expected = road
    seen = make()
    assert dict(seen) == expected
    for mapping in (make(), seen):
        assert "nothing" not in mapping
        assert mapping.get("nothing") is None
        assert mapping.get("nothing", 1) == 1
        assert mapping.view("nothing") is None
        assert mapping.unread("nothing") is None
        with pytest.raises(KeyError):
            mapping["nothing"]


def test_it_says_the_same_once_it_has_been_read(road: Any) -> None:
    make, expected = road
    seen = make()
    assert seen.parsed() is seen.parsed()
    for name, value in expected.items():
        assert seen[name] == seen.get(name) == seen.view(name) == value


def test_it_is_pickled_as_a_dict(road: Any) -> None:
    make, expected = road
    twin = pickle.loads(pickle.dumps(make()))  # noqa: S301 - its own
    assert type(twin) is dict
    assert twin == expected


def test_the_text_of_a_member_is_what_it_is_read_from() -> None:
    change = _record().change
    assert json.loads(bytes(change.unread("NewImage"))) == IMAGE
    assert json.loads(bytes(change.view("NewImage").unread("price"))) == IMAGE["price"]
    assert change.unread("SequenceNumber") is None  # read already


@pytest.mark.parametrize(
    ("parts", "text"),
    [
        ({"Keys": {"PK": {"S": "k"}}, "NewImage": {"PK": {"S": "n"}}}, "k"),
        ({"Keys": {"SK": {"S": "k"}}, "NewImage": {"PK": {"S": "n"}}}, "n"),
        ({"Keys": {}, "NewImage": {}, "OldImage": {"PK": {"S": "o"}}}, "o"),
        ({"Keys": {}, "OldImage": {"PK": {"S": "o"}}}, "o"),
        ({"Keys": {}, "NewImage": {}, "OldImage": {}}, None),
        ({}, None),
        ({"Keys": {"PK": {"N": "1"}}, "NewImage": {"PK": {"S": "n"}}}, None),
        ({"Keys": [], "NewImage": {"PK": {"S": "n"}}}, None),
    ],
)
def test_the_text_of_an_attribute_is_that_of_the_keys_else_of_an_image(
    parts: dict[str, Any], text: str | None
) -> None:
    document = json.dumps({"eventName": "MODIFY", "dynamodb": parts}).encode()
    record = unread_record(document)
    assert record.change.text("PK") == text
    assert record.text("PK") is None  # it is in none of its own members


@pytest.mark.parametrize("read", [[], ["old"], ["new"], ["old", "new"]])
def test_two_images_differ_in_the_same_attributes_however_much_of_them_was_read(
    read: list[str],
) -> None:
    images = {"old": {"a": {"S": "x"}, "b": {"N": "1"}}, "new": {"a": {"S": "x"}, "c": {"N": "2"}}}
    record = lambda_record(OldImage=images["old"], NewImage=images["new"])
    change = unread_record(json.dumps(record).encode()).change
    old, new = change.view("OldImage"), change.view("NewImage")
    for side in read:
        dict(old if side == "old" else new)
    # The text of what is the same need not be read: then there is no pair.
    assert old.differing(new, "a", ABSENT) in (None, ({"S": "x"}, {"S": "x"}))
    assert old.differing(new, "b", ABSENT) == ({"N": "1"}, ABSENT)
    assert old.differing(new, "c", ABSENT) == (ABSENT, {"N": "2"})


def test_a_page_is_a_list_and_equals_nothing_else() -> None:
    text = json.dumps({"Records": [RECORD, RECORD]}).encode()
    page, _ = unread_answer(text)
    assert page.size == len(text)
    assert page == [RECORD, RECORD]
    assert page != (RECORD, RECORD)
    assert page == unread_answer(json.dumps({"Records": [RECORD, RECORD]}).encode())[0]
    assert repr(page) == "<2 unread records>"


def test_text_of_any_language_is_read() -> None:
    record = lambda_record(NewImage={"ä": {"S": "ö\u2028"}})
    text = json.dumps(record, ensure_ascii=False).encode()
    assert unread_record(text).change["NewImage"] == {"ä": {"S": "ö\u2028"}}
    line = unread_line('{"Item": {"ä": {"S": "ö"}}}'.encode(), {}, ("ä",), dict)
    assert line.change["Keys"] == {"ä": {"S": "ö"}}


NESTED = "[" * 3000 + "]" * 3000


@pytest.mark.parametrize(
    "read",
    [
        lambda image: unread_answer(
            b'{"Records": [{"eventName": "INSERT", "dynamodb": {"NewImage": %b}}]}' % image
        ),
        lambda image: unread_record(
            b'{"eventName": "INSERT", "dynamodb": {"NewImage": %b}}' % image
        ),
        lambda image: unread_line(b'{"Item": %b}' % image, {}, (), dict),
    ],
)
@pytest.mark.parametrize("image", [NESTED.encode(), b'{"a": "\xff"}', b'{"a": '])
def test_what_is_no_such_document_is_left_to_others(read: Any, image: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of several kinds, all of which mean that
        read(image)


def test_text_nested_without_end_is_refused_and_never_a_recursion_error() -> None:
    for text in (NESTED, f'{{"Records": [{{"eventName": "INSERT", "dynamodb": {NESTED}}}]}}'):
        with pytest.raises(PayloadError, match="at some depth"):
            list(parse(text))


def test_a_number_of_more_digits_than_python_reads_is_one_all_the_same() -> None:
    digits = "9" * 5000
    text = json.dumps(lambda_record(NewImage={"n": {"X": 0}})).replace('"X": 0', f'"X": {digits}')
    image = unread_record(text.encode()).change.view("NewImage")
    assert repr(image["n"]["X"]) == digits
    assert repr(image.parsed()["n"]["X"]) == digits


def test_a_program_that_makes_up_names_without_end_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(unread_image, "_MOST_NAMES", 3)
    image = _record().change.view("NewImage")
    for number in range(10):
        assert image.get(f"made-up-{number}") is None
        assert image["price"] == IMAGE["price"]
    assert len(unread_image._finders) <= 3


def test_a_filter_of_the_users_own_may_read_all_of_an_image() -> None:
    class AnyDigit:
        paths = ()

        def matches(self, old: Any, new: Any, codec: Any = None) -> bool:
            return any("N" in value for image in (old, new) for value in image.values())

    router, seen = StreamRouter(), []
    router.on_modify(changed=AnyDigit())(lambda record: seen.append(record.new))
    router.dispatch(json.dumps({"Records": [RECORD]}))
    assert len(seen) == 1
