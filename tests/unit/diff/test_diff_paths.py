"""Document paths: their text, their parts, and the text that is none."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest

from ddbstream import Added, Replaced, diff, to_item
from ddbstream._values.paths import Path, parse_path
from ddbstream.exceptions import DiffError

PATHS = [
    ("price", ("price",)),
    ("dims.w", ("dims", "w")),
    ("tags[2]", ("tags", 2)),
    ("a[0][11].b.c[3]", ("a", 0, 11, "b", "c", 3)),
    ("aws:rep:updatetime", ("aws:rep:updatetime",)),
    ("user-id.first-name", ("user-id", "first-name")),
    ("größe.数", ("größe", "数")),
    ("1st.2", ("1st", "2")),
    ('"a.b".c', ("a.b", "c")),
    ('"a b"', ("a b",)),
    ('m."tags[2]"[2]', ("m", "tags[2]", 2)),
    ('"say \\"hi\\""', ('say "hi"',)),
    ('"back\\\\slash"', ("back\\slash",)),
    ('""', ("",)),
    ('"line\\u000abreak"', ("line\nbreak",)),
    ('"\\ud800"', ("\ud800",)),
    ('"\\u202eevil"', ("\u202eevil",)),
]


@pytest.mark.parametrize(("text", "parts"), PATHS)
def test_parts_have_this_text_and_the_text_these_parts(text: str, parts: Any):
    assert str(Path.of(parts)) == text
    assert parse_path(text) == parts


@pytest.mark.parametrize(
    ("text", "parts"),
    [('"price"', ("price",)), ('a."b"[0]', ("a", "b", 0)), ('"\\u0061"', ("a",))],
)
def test_a_name_may_be_quoted_without_need(text: str, parts: Any):
    assert parse_path(text) == parts


NO_PATHS = [
    *(".", "a.", ".a", "a..b", "[0]", "a[", "a[]", "a[x]", "a[-1]", "a[01]", "a[0]b", "a]"),
    *('"a', 'a"b"', '"a"b', '"\\x"', "a\\b", "a[1234567890]", "", "a b", "a[0] ", "a\n"),
]


@pytest.mark.parametrize("text", NO_PATHS)
def test_text_that_is_no_path_is_refused(text: str):
    with pytest.raises(DiffError, match="document path"):
        parse_path(text)


@pytest.mark.parametrize("parts", [(), (0,), ("a", -1), ("a", None), ("a", True), ("a", 1.0)])
def test_parts_that_are_no_path_are_refused(parts: Any):
    with pytest.raises(DiffError, match="document path"):
        parse_path(parts)


@pytest.mark.parametrize("other", [None, 1, b"a", ["a"]])
def test_what_is_neither_is_refused(other: Any):
    with pytest.raises(DiffError, match="document path"):
        parse_path(other)


def test_the_path_of_a_change_is_its_text_and_knows_its_parts():
    (change,) = diff({"dims": {"w": 1}}, {"dims": {"w": 2}})
    assert change.path == "dims.w"
    assert change.path.parts == ("dims", "w")
    assert {change.path: 1}["dims.w"] == 1
    assert f"{change.path}" == str(change.path) == "dims.w"
    assert repr(change.path) == "'dims.w'"
    assert type(str(change.path)) is str


def test_a_change_takes_a_path_in_any_form():
    path = Path.of(("a", 0))
    assert Added("a[0]", 1) == Added(("a", 0), 1) == Added(path, 1)
    assert Added("a[0]", 1).path.parts == ("a", 0)


def test_a_path_keeps_its_parts_when_it_is_copied():
    path = Path.of(("a.b", 1))
    for other in (pickle.loads(pickle.dumps(path)), copy.deepcopy(path)):  # noqa: S301 - our own
        assert (other, other.parts) == (path, ("a.b", 1))


def test_paths_made_for_ever_new_names_do_not_fill_the_memory():
    from ddbstream._values import paths as _path

    for number in range(2 * _path._MOST_KNOWN):
        assert Path.of((f"name{number}",)) == f"name{number}"
    assert len(_path._known) <= _path._MOST_KNOWN


@dataclass
class Line:
    id: UUID
    size: dict[str, int] = field(default_factory=dict)


@dataclass
class Order:
    lines: list[Line]


KEPT, GONE, CAME = (Line(UUID(int=number), {"w": number}) for number in (1, 2, 3))


@pytest.mark.parametrize("made", [lambda order: order, to_item])
def test_each_change_is_found_at_its_own_path_where_lists_are_aligned(made: Any) -> None:
    changed = Line(KEPT.id, {"w": 5, "h": 6})
    old, new = made(Order([KEPT])), made(Order([CAME, changed]))
    change = diff(old, new, lists="align")
    paths = [str(each.path) for each in change]
    assert paths == ["lines[0]", "lines[0].size.h", "lines[0].size.w"]
    assert [change[path] for path in paths] == list(change)
    assert change["lines[0].size"] == Replaced("lines[0].size", {"w": 1}, {"w": 5, "h": 6})
    for path in ("lines[0].size.w", "lines[0].id", "lines"):
        assert path in change
    assert "lines[0].size.d" not in change


def test_what_is_inside_of_a_member_that_came_is_of_its_models_kind() -> None:
    longer = diff(Order([KEPT]), Order([KEPT, GONE, CAME]))
    assert longer["lines[1].id"] == Added("lines[1].id", GONE.id)
    assert longer["lines[2].size.w"] == Added("lines[2].size.w", 3)
    aligned = diff(Order([KEPT]), Order([CAME, KEPT]), lists="align")
    assert aligned["lines[0].id"] == Added("lines[0].id", CAME.id)
