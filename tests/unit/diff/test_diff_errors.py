"""What a diff says when it cannot do it: where, of which record, and never by RecursionError."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from ddbstream import (
    Added,
    DDBStreamError,
    Diff,
    Removed,
    Replaced,
    SetChanged,
    StreamRecord,
    diff,
    parse,
)
from ddbstream.exceptions import DecodeError, DiffError
from ddbstream.models import Registry


def _endless_list() -> Any:
    found: list[Any] = []
    found.append(found)
    return found


def _endless_map() -> Any:
    found: dict[str, Any] = {}
    found["x"] = found
    return found


def _deep(depth: int = 3000, leaf: Any = "x") -> Any:
    for _ in range(depth):
        leaf = [leaf]
    return leaf


def _deep_set() -> Any:
    found: Any = frozenset()
    for _ in range(3000):
        found = frozenset([found])
    return found


ENDLESS = [_endless_list, _endless_map, _deep]


class TestValuesNestedWithoutEnd:
    @pytest.mark.parametrize("wire", [None, False])
    @pytest.mark.parametrize("lists", ["index", "align"])
    @pytest.mark.parametrize("make", ENDLESS)
    def test_they_are_refused_by_diff(self, make: Callable[[], Any], lists: Any, wire: Any):
        value = make()
        for old, new in (
            ({"a": value}, {"a": 1}),
            ({"a": 1}, {"a": value}),
            ({}, {"a": value}),
            (None, {"a": [1, value]}),
            ({"a": value}, {"a": make()}),
            ({"a": [value, 1]}, {"a": [make(), 2]}),
        ):
            with pytest.raises(DiffError, match="nested too deeply"):
                diff(old, new, lists=lists, wire=wire)

    def test_an_item_in_itself_is_refused(self):
        with pytest.raises(DiffError, match="nested too deeply"):
            diff(_endless_map(), {})
        with pytest.raises(DiffError, match="nested too deeply"):
            diff(_endless_map(), _endless_map())

    @pytest.mark.parametrize("make", [_endless_list, _endless_map, _deep])
    def test_changes_written_with_them_say_so_when_used(self, make: Callable[[], Any]):
        value = make()
        other = make()
        for change in (Added("a", value), Removed("a", value), Replaced("a", value, 1)):
            for use in (
                lambda change=change: hash(change),
                lambda change=change: hash(Diff([change])),
                lambda change=change: change == type(change)(*_arguments(change, other)),
                lambda change=change: (
                    Diff([change]) == Diff([type(change)(*_arguments(change, other))])
                ),
                Diff([change]).to_dict,
            ):
                with pytest.raises(DDBStreamError):
                    use()

    def test_text_of_them_says_so(self):
        change = Added("a", _deep(100_000))  # Python 3.13 writes 3,000 levels
        for use in (
            lambda: str(change),
            lambda: repr(change),
            lambda: str(Diff([change])),
            lambda: repr(Diff([change])),
            Diff([change]).describe,
        ):
            with pytest.raises(DiffError, match="nested too deeply"):
                use()

    @pytest.mark.parametrize("make", [_endless_list, _deep])
    def test_they_can_neither_be_applied_nor_applied_to(self, make: Callable[[], Any]):
        written = Diff([Replaced("a", make(), 1)])
        for use in (
            lambda: written.apply({"a": make()}),
            lambda: written.invert().apply({"a": 1}),
            lambda: diff({"a": [1]}, {"a": [2]}).apply({"a": make()}),
            lambda: Diff([Replaced("a", [1], 2)]).apply({"a": make()}),
            written.to_json_patch,
            written.invert().to_json_patch,
            written.invert().to_update_expression,
            lambda: list(written.redact("a[0][0]")),
            lambda: written["a[0]"],
            lambda: Replaced("a", make(), 1) in written,
        ):
            with suppress(DDBStreamError):  # what looks at the top only may do what it is asked for
                use()

    def test_those_that_python_can_follow_are_compared(self):
        limit = sys.getrecursionlimit()
        shallow = limit // 20
        change = diff({"a": _deep(shallow, 1)}, {"a": _deep(shallow, 2)})
        assert change == Diff(change)
        assert change.apply({"a": _deep(shallow, 1)}) == {"a": _deep(shallow, 2)}


def _arguments(change: Any, value: Any) -> tuple[Any, ...]:
    return ("a", value, 1) if isinstance(change, Replaced) else ("a", value)


# --- records ------------------------------------------------------------------------------------


@dataclass
class Size:
    w: int


@dataclass
class Cat:
    id: str
    n: int = 0
    size: Size | None = None


GOOD = {"id": {"S": "x"}, "n": {"N": "1"}, "size": {"M": {"w": {"N": "1"}}}}


def _wrapped(value: Any, times: int) -> Any:
    for _ in range(times):
        value = {"L": [value]}
    return value


def record(
    old: Any, new: Any, model: Any = None, event_id: str = "ev9", registry: Any = None
) -> StreamRecord[Any]:
    name = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    change = {"Keys": {"id": {"S": "x"}}, "SequenceNumber": "77", "OldImage": old, "NewImage": new}
    raw = {
        "eventID": event_id,
        "eventName": name,
        "eventSource": "aws:dynamodb",
        "dynamodb": {key: value for key, value in change.items() if value is not None},
    }
    (made,) = parse([raw], model, registry=registry)
    return made


USES: dict[str, Callable[[Diff], Any]] = {
    "list": list,
    "str": str,
    "repr": repr,
    "hash": hash,
    "describe": Diff.describe,
    "index": lambda change: change[0],
    "equal": lambda change: change == Diff([*[Added(f"a{at}", 1) for at in range(len(change))]]),
    "redacted": lambda change: str(change.redact("other")),
    "inverted": lambda change: list(change.invert()),
    "patch": Diff.to_json_patch,
    "audit": Diff.to_dict,
    "update": Diff.to_update_expression,
}


class TestRecords:
    @pytest.mark.parametrize(
        ("bad", "path"),
        [
            ({"n": {"S": "s3cr3t"}}, "n"),
            ({"size": {"M": {"w": {"S": "s3cr3t"}}}}, "size.w"),
        ],
    )
    @pytest.mark.parametrize("side", ["OldImage", "NewImage"])
    @pytest.mark.parametrize(
        "use", ["list", "str", "hash", "index", "equal", "redacted", "inverted"]
    )
    def test_a_value_that_the_model_refuses_is_named_by_image_path_and_record(
        self, bad: Any, path: str, side: str, use: str
    ):
        images = [GOOD, {**GOOD, **bad}]
        made = record(*(images if side == "NewImage" else images[::-1]), model=Cat)
        with pytest.raises(DecodeError) as caught:
            USES[use](made.diff)
        error = caught.value
        assert (error.path, error.event_id, error.sequence_number) == (
            f"{side}.{path}",
            "ev9",
            "77",
        )
        assert f"at {side}.{path} " in str(error)
        assert "s3cr3t" not in str(error)
        with pytest.raises(DecodeError) as said:
            _ = made.new if side == "NewImage" else made.old
        assert said.value.path == error.path

    @pytest.mark.parametrize("use", sorted(USES))
    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            (GOOD, {**GOOD, "n": {"Q": "1"}}, "NewImage.n"),
            ({**GOOD, "n": {"N": "one"}}, GOOD, "OldImage.n"),
            (GOOD, {**GOOD, "size": {"M": {"w": {"N": "one"}}}}, "NewImage.size.w"),
            ({**GOOD, "ab": {"L": []}}, {**GOOD, "ab": {"L": [1]}}, "NewImage.ab[0]"),
            (GOOD, {**GOOD, "n": {"NS": ["1", "s3cr3t"]}}, "NewImage.n[1]"),
            (None, {**GOOD, "n": {"N": "one"}}, "NewImage.n"),
            ({**GOOD, "n": {"M": []}}, None, "OldImage.n"),
            (None, {**GOOD, "NewImage": {"N": "one"}}, "NewImage.NewImage"),
        ],
    )
    def test_a_malformed_value_is_named_by_image_path_and_record(
        self, old: Any, new: Any, path: str, use: str
    ):
        made = record(old, new)
        with pytest.raises(DecodeError) as caught:
            USES[use](made.diff)
        error = caught.value
        assert (error.path, error.event_id, error.sequence_number) == (path, "ev9", "77")
        assert "s3cr3t" not in str(error)

    @pytest.mark.parametrize(
        ("old", "new", "path"),
        [
            ({"S": "x"}, 3, "NewImage.n"),
            ({"S": "x"}, {"NS": ["x"]}, "NewImage.n[0]"),
            ({"L": [{"N": "?"}]}, {"S": "x"}, "OldImage.n[0]"),
        ],
    )
    def test_of_two_images_that_the_model_refuses_the_one_is_named_that_has_the_fault(
        self, old: Any, new: Any, path: str
    ):
        made = record({**GOOD, "n": old}, {**GOOD, "n": new}, Cat)
        with pytest.raises(DecodeError) as caught:
            made.diff.to_update_expression()
        assert caught.value.path == path

    @pytest.mark.parametrize("side", ["OldImage", "NewImage"])
    @pytest.mark.parametrize(
        ("bad", "path"),
        [
            ({"L": [1]}, "ab[0]"),
            ({"L": [{"N": "1"}, {"NS": ["1", "s3cr3t"]}]}, "ab[1][1]"),
            (_wrapped({"S": "x"}, 40), "ab" + 33 * "[0]"),
        ],
    )
    def test_a_malformed_attribute_that_the_model_ignores_is_named_by_its_image(
        self, bad: Any, path: str, side: str
    ):
        images = [{**GOOD, "ab": {"L": []}}, {**GOOD, "ab": bad}]
        made = record(*(images if side == "NewImage" else images[::-1]), Cat)
        with pytest.raises(DecodeError) as caught:
            list(made.diff)
        assert (caught.value.path, caught.value.event_id) == (f"{side}.{path}", "ev9")

    def test_an_error_that_is_another_each_time_names_the_record(self):
        calls = count()

        def refuse(item: Any) -> Any:
            raise DecodeError(path="no[path", expected="luck", found=f"try {next(calls)}")

        registry = Registry()
        registry.register(Cat, upgrades=[refuse])
        made = record(GOOD, {**GOOD, "n": {"N": "2"}}, Cat, registry=registry)
        with pytest.raises(DecodeError, match="expected luck") as caught:
            list(made.diff)
        assert (caught.value.event_id, caught.value.sequence_number) == ("ev9", "77")

    def test_a_malformed_item_that_it_is_applied_to_is_no_fault_of_an_image(self):
        made = record(GOOD, {**GOOD, "n": {"N": "2"}})
        with pytest.raises(DecodeError) as caught:
            made.diff.apply({**GOOD, "n": {"N": "one"}})
        assert (caught.value.path, caught.value.event_id) == ("n", "ev9")

    @pytest.mark.parametrize("side", ["old", "new"])
    def test_a_fault_of_the_item_that_a_record_is_joined_with_names_no_image(self, side: str):
        other = {**GOOD, "n": {"N": "2"}}
        bad = {**GOOD, "n": {"NS": ["x"]}}
        if side == "new":
            change = record(GOOD, other).diff | diff(other, bad, wire=True)
        else:
            change = diff(bad, GOOD, wire=True) | record(GOOD, other).diff
        with pytest.raises(DecodeError) as caught:
            list(change)
        assert (caught.value.path, caught.value.event_id) == ("n[0]", None)

    def test_a_malformed_value_that_is_the_same_in_both_images_is_not_blamed(self):
        bad = {**GOOD, "a": {"N": "one"}, "m": {"M": {"a": 1, "b": {"N": "1"}}}}
        made = record(bad, {**bad, "m": {"M": {"a": 1, "b": {"N": "two"}}}})
        with pytest.raises(DecodeError) as caught:
            list(made.diff)
        assert caught.value.path == "NewImage.m.b"

    @pytest.mark.parametrize(("model", "bad"), [(Cat, {"S": "x"}), (None, {"N": "x"})])
    def test_of_two_records_joined_each_error_names_its_own(self, model: Any, bad: Any):
        other = {**GOOD, "n": {"N": "2"}}
        broken = {**GOOD, "n": bad}
        for images, path, event in (
            ((broken, GOOD, other), "OldImage.n", "first"),
            ((GOOD, other, broken), "NewImage.n", "second"),
        ):
            first = record(images[0], images[1], model, "first")
            second = record(images[1], images[2], model, "second")
            with pytest.raises(DecodeError) as caught:
                list(first.diff | second.diff)
            assert (caught.value.path, caught.value.event_id) == (path, event)

    def test_an_item_that_is_not_what_it_starts_from_is_no_fault_of_an_image(self):
        made = record(GOOD, {**GOOD, "n": {"N": "2"}})
        with pytest.raises(DiffError) as caught:
            made.diff.apply({**GOOD, "n": {"N": "3"}})
        assert (caught.value.path, caught.value.event_id) == ("n", "ev9")

    def test_images_nested_without_end_name_the_record(self):
        old, new = {"S": "x"}, {"S": "y"}
        for _ in range(5000):
            old, new = {"L": [old]}, {"L": [new]}
        with pytest.raises(DiffError, match="nested too deeply") as caught:
            _ = record({**GOOD, "a": old}, {**GOOD, "a": new}).diff
        assert caught.value.event_id == "ev9"

    def test_a_diff_of_no_record_has_paths_of_the_item(self):
        change = diff(GOOD, {**GOOD, "n": {"NS": ["x"]}}, wire=True)
        with pytest.raises(DecodeError) as caught:
            list(change)
        assert (caught.value.path, caught.value.event_id) == ("n[0]", None)


def test_a_set_change_written_with_a_deep_member_says_so():
    with pytest.raises(DiffError, match="nested too deeply"):
        hash(SetChanged("a", [_deep_set()], []))
