"""TTL deletions, replication echoes, changes that change nothing: each with how certain it is."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from ddbstream import parse
from tests.unit.wire.payloads import KEYS, lambda_record

DELETED = 1_770_000_000
TTL = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
YEAR = 365 * 86_400


def only(wire: dict[str, Any]) -> Any:
    (record,) = parse([wire])
    return record


class TestTTLRemoval:
    def test_is_certain_where_dynamodb_says_so(self) -> None:
        record = only({**lambda_record("REMOVE"), "userIdentity": TTL})
        assert record.traits().ttl_removal == "certain"

    @pytest.mark.parametrize("name", ["INSERT", "MODIFY"])
    def test_is_nothing_but_a_removal(self, name: str) -> None:
        assert only({**lambda_record(name), "userIdentity": TTL}).traits().ttl_removal == "no"

    def test_is_not_what_somebody_else_did(self) -> None:
        identity = {"type": "Service", "principalId": "somebody.amazonaws.com"}
        record = only({**lambda_record("REMOVE"), "userIdentity": identity})
        assert record.traits(ttl_attribute="price").ttl_removal == "no"

    @pytest.mark.parametrize(
        ("expires", "expected"),
        [
            ({"N": str(DELETED)}, "likely"),
            ({"N": str(DELETED - 86_400 * 2)}, "likely"),
            ({"N": str(DELETED + 1)}, "no"),
            ({"N": str(DELETED - 6 * YEAR)}, "no"),
            ({"S": str(DELETED)}, "no"),
            ({"N": "1.5"}, "unknown"),
            ({"N": None}, "unknown"),
            ({"N": float("inf")}, "unknown"),
            (None, "no"),
        ],
    )
    def test_of_a_replica_is_guessed_from_the_items_own_time(
        self, expires: Any, expected: str
    ) -> None:
        """Replicated TTL deletions carry no userIdentity. TTL deletes within days of the time,
        skips
        items without a number there, and those expired over five years ago: howitworks-ttl.html of
        the developer guide.
        """
        old = KEYS if expires is None else {**KEYS, "expires": expires}
        record = only(lambda_record("REMOVE", OldImage=old))
        assert record.traits(ttl_attribute="expires").ttl_removal == expected
        assert record.traits().ttl_removal == "unknown"
        assert record.is_ttl_removal is False

    def test_cannot_be_guessed_without_image_or_time(self) -> None:
        for missing in ("OldImage", "ApproximateCreationDateTime"):
            change: dict[str, Any] = {
                "OldImage": {**KEYS, "expires": {"N": str(DELETED)}},
                missing: None,
            }
            wire = lambda_record("REMOVE", **change)
            assert only(wire).traits(ttl_attribute="expires").ttl_removal == "unknown"


def marks(region: str = "eu-west-1", time: str = "1770000000.5", *, deleting: bool = False) -> Any:
    return {
        "aws:rep:deleting": {"BOOL": deleting},
        "aws:rep:updateregion": {"S": region},
        "aws:rep:updatetime": {"N": time},
    }


class TestReplica:
    """Global tables 2017.11.29: globaltables.V1.html of the developer guide, and the filters that
    github.com/jgilbert01/aws-lambda-stream keeps for them.
    """

    PLAIN: ClassVar[Any] = {**KEYS, "price": {"N": "10"}}
    OTHER: ClassVar[Any] = {**KEYS, "price": {"N": "12"}}

    @pytest.mark.parametrize(
        ("name", "old", "new", "expected"),
        [
            # The MODIFY that follows a local write, and adds or renews nothing but the marks.
            ("MODIFY", PLAIN, {**PLAIN, **marks()}, "certain"),
            ("MODIFY", {**PLAIN, **marks(time="1")}, {**PLAIN, **marks(time="2")}, "certain"),
            # A write copied from another region.
            ("INSERT", None, {**PLAIN, **marks("us-east-1")}, "certain"),
            (
                "MODIFY",
                {**PLAIN, **marks(time="1")},
                {**OTHER, **marks("us-east-1", "2")},
                "certain",
            ),
            ("MODIFY", PLAIN, {**OTHER, **marks("us-east-1")}, "certain"),
            ("MODIFY", None, {**OTHER, **marks("us-east-1")}, "likely"),
            # A local write, on an item that some region wrote before.
            ("MODIFY", {**PLAIN, **marks("us-east-1")}, {**OTHER, **marks("us-east-1")}, "no"),
            ("MODIFY", {**PLAIN, **marks()}, {**OTHER, **marks()}, "no"),
            ("INSERT", None, {**PLAIN, **marks()}, "no"),
            # Nothing to tell by: a plain table, or version 2019.11.21.
            ("MODIFY", PLAIN, OTHER, "unknown"),
            ("MODIFY", {**PLAIN, **marks()}, OTHER, "unknown"),
            ("MODIFY", None, {**OTHER, **marks()}, "unknown"),
            ("MODIFY", None, None, "unknown"),
            ("INSERT", None, PLAIN, "unknown"),
            ("REMOVE", PLAIN, None, "unknown"),
            ("REMOVE", {**PLAIN, **marks()}, None, "unknown"),
            ("REMOVE", None, None, "unknown"),
            ("REMOVE", {**PLAIN, **marks(deleting=True)}, None, "likely"),
        ],
    )
    def test_is_told_by_the_marks(self, name: str, old: Any, new: Any, expected: str) -> None:
        record = only(lambda_record(name, OldImage=old, NewImage=new))
        assert record.traits().replica == expected
        assert record.is_replica is (expected == "certain")

    def test_a_change_of_nothing_is_none_of_replications(self) -> None:
        marked = {**self.PLAIN, **marks()}
        record = only(lambda_record(OldImage=marked, NewImage=dict(marked)))
        assert (record.traits().replica, record.traits().unchanged) == ("no", "certain")

    def test_malformed_images_tell_nothing_and_raise_nothing(self) -> None:
        record = only(lambda_record(OldImage=[], NewImage={"aws:rep:updateregion": 7, "x": 1}))
        assert record.traits() == ("no", "unknown", "unknown")


class TestUnchanged:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"n": {"N": "1"}}, {"n": {"N": "1"}}),
            ({"n": {"N": "1"}}, {"n": {"N": "1.0"}}),
            ({"n": {"N": "100"}}, {"n": {"N": "1E2"}}),
            ({"s": {"SS": ["a", "b"]}}, {"s": {"SS": ["b", "a"]}}),
            ({"m": {"M": {"n": {"NS": ["1", "2"]}}}}, {"m": {"M": {"n": {"NS": ["2.0", "1"]}}}}),
            ({"a": {"S": "x"}, "b": {"S": "y"}}, {"b": {"S": "y"}, "a": {"S": "x"}}),
        ],
    )
    def test_is_a_modify_that_leaves_the_item_as_it_was(self, old: Any, new: Any) -> None:
        """DynamoDB writes no record for these but respelled numbers; moto writes one for each."""
        record = only(lambda_record(OldImage=old, NewImage=new))
        assert record.traits().unchanged == "certain"
        assert record.is_unchanged
        assert not record.diff

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ({"n": {"N": "1"}}, {"n": {"N": "2"}}),
            ({"n": {"N": "1"}}, {"n": {"S": "1"}}),
            ({"n": {"NULL": True}}, {}),
            ({"l": {"L": [{"S": "a"}, {"S": "b"}]}}, {"l": {"L": [{"S": "b"}, {"S": "a"}]}}),
        ],
    )
    def test_is_not_what_changed_something(self, old: Any, new: Any) -> None:
        record = only(lambda_record(OldImage=old, NewImage=new))
        assert record.traits().unchanged == "no"
        assert not record.is_unchanged

    @pytest.mark.parametrize("malformed", [{"N": "x"}, {"Z": "1"}, 5])
    def test_is_unknown_where_an_image_cannot_be_compared(self, malformed: Any) -> None:
        record = only(lambda_record(OldImage={"n": malformed}, NewImage={"n": {"N": "1"}}))
        assert record.traits().unchanged == "unknown"

    @pytest.mark.parametrize("missing", ["OldImage", "NewImage"])
    def test_is_unknown_without_both_images(self, missing: str) -> None:
        record = only(lambda_record(**{missing: None}))
        assert record.traits().unchanged == "unknown"
        assert not record.is_unchanged

    @pytest.mark.parametrize("name", ["INSERT", "REMOVE"])
    def test_is_a_modify_only(self, name: str) -> None:
        assert only(lambda_record(name)).traits().unchanged == "no"
