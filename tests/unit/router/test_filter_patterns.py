"""Filter patterns match what a mapping would let through; the linter finds what never can.

Sources: AWS Lambda, "Using event filtering with a DynamoDB event source"; EventBridge,
"Comparison operators". "Recorded": LocalStack's suite for DynamoDB event filters, run on AWS; the
values are ours.
"""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from ddbstream import StreamRouter
from ddbstream.exceptions import RouteDefinitionError
from ddbstream.filters import Pattern, lint
from tests.support.stream_records import TTL, wire_record


def new(**attributes: Any) -> dict[str, Any]:
    return wire_record(new=attributes)


def on_new(**attributes: Any) -> dict[str, Any]:
    return {"dynamodb": {"NewImage": attributes}}


def matches(pattern: Any, record: dict[str, Any]) -> bool:
    return Pattern(pattern).matches(record)


class TestRecorded:
    def test_event_names_are_alternatives(self) -> None:
        one, both = {"eventName": ["INSERT"]}, {"eventName": ["INSERT", "MODIFY"]}
        found = [[matches(p, wire_record(e)) for e in ("INSERT", "MODIFY")] for p in (one, both)]
        assert found == [[True, False], [True, True]]

    def test_a_value_needs_its_type(self) -> None:
        record = new(color={"S": "red"})
        assert matches(on_new(color={"S": ["red"]}), record)
        assert not matches(on_new(color=["red"]), record)

    def test_exists_true_holds_on_the_leaf_alone(self) -> None:
        record = new(color={"S": "red"})
        assert matches(on_new(color={"S": [{"exists": True}]}), record)
        assert not matches(on_new(color=[{"exists": True}]), record)
        assert not matches(on_new(size={"S": [{"exists": True}]}), record)

    def test_exists_false_above_the_leaf_holds_always(self) -> None:
        pattern = on_new(color=[{"exists": False}])
        assert matches(pattern, new(size={"S": "x"}))
        assert matches(pattern, new(color={"S": "red"}))

    def test_numeric_never_holds_on_a_number_attribute(self) -> None:
        # Beside it, anything-but is an alternative that compares text.
        pattern = on_new(price={"N": [{"numeric": [">", 100]}, {"anything-but": "150"}]})
        assert [matches(pattern, new(price={"N": n})) for n in ("99", "150")] == [True, False]
        assert not matches(on_new(price={"N": [{"numeric": [">", 0]}]}), new(price={"N": "5"}))

    def test_prefix(self) -> None:
        pattern = on_new(zone={"S": [{"prefix": "eu-"}]})
        assert matches(pattern, new(zone={"S": "eu-west-1"}))
        assert not matches(pattern, new(zone={"S": "us-eu-1"}))

    def test_the_creation_time_is_a_number(self) -> None:
        pattern = {"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 0]}]}}
        assert matches(pattern, wire_record())

    @pytest.mark.parametrize("name", ["eventSource", "eventSourceARN", "awsRegion"])
    def test_what_lambda_adds_after_filtering_is_not_there(self, name: str) -> None:
        record = wire_record()
        assert not matches({name: [record[name]]}, record)
        assert matches({name: [{"exists": False}]}, record)


class TestOperators:
    @pytest.mark.parametrize(
        ("test", "yes", "no"),
        [
            ("red", ["red"], ["Red", "re"]),
            ("", [""], ["x"]),
            ({"suffix": ".png"}, ["a.png"], ["png", "a.PNG"]),
            ({"equals-ignore-case": "Red"}, ["red", "RED"], ["reds"]),
            ({"anything-but": "red"}, ["blue", ""], ["red"]),
            ({"anything-but": ["red", "blue"]}, ["green"], ["red", "blue"]),
        ],
    )
    def test_on_text(self, test: Any, yes: list[str], no: list[str]) -> None:
        pattern = Pattern(on_new(color={"S": [test]}))
        for text in yes:
            assert pattern.matches(new(color={"S": text})), text
        for text in no:
            assert not pattern.matches(new(color={"S": text})), text

    @pytest.mark.parametrize(
        ("test", "yes", "no"),
        [
            (["=", 5], [5, 5.0], [4]),
            (["<", 5], [4.9], [5]),
            (["<=", 5], [5], [6]),
            ([">", 5], [6], [5]),
            ([">=", 5], [5], [4]),
            ([">", 0, "<=", 5], [1, 5], [0, 6]),
        ],
    )
    def test_numeric(self, test: Any, yes: list[float], no: list[float]) -> None:
        pattern = Pattern({"dynamodb": {"SizeBytes": [{"numeric": test}]}})
        for size in (*yes, *no):
            record = wire_record()
            record["dynamodb"]["SizeBytes"] = size
            assert pattern.matches(record) == (size in yes), size

    def test_a_number_is_no_text_and_true_is_no_number(self) -> None:
        assert not matches(on_new(a={"N": [5]}), new(a={"N": "5"}))
        assert not matches(on_new(a={"BOOL": [1]}), new(a={"BOOL": True}))
        assert matches(on_new(a={"BOOL": [True]}), new(a={"BOOL": True}))
        assert matches({"userIdentity": [None]}, wire_record(userIdentity=None))

    def test_anything_but_needs_a_value(self) -> None:
        assert not matches(on_new(a={"S": [{"anything-but": "x"}]}), new(b={"S": "y"}))

    def test_its_text_is_how_to_write_it(self) -> None:
        pattern = Pattern({"eventName": ["INSERT"]})
        assert repr(pattern) == "Pattern({'eventName': ['INSERT']})"

    def test_a_list_of_maps_holds_where_one_of_them_does(self) -> None:
        pattern = on_new(tags={"L": {"S": ["x"]}})
        assert matches(pattern, new(tags={"L": [{"S": "y"}, {"S": "x"}]}))
        assert not matches(pattern, new(tags={"L": [{"S": "y"}]}))

    def test_names_are_anded_and_lists_are_ored(self) -> None:
        pattern = on_new(a={"S": ["x", "y"]}, b={"S": ["z"]})
        assert matches(pattern, new(a={"S": "y"}, b={"S": "z"}))
        assert not matches(pattern, new(a={"S": "y"}))

    def test_or_is_an_alternative_at_any_level(self) -> None:
        pattern = {
            "eventName": ["INSERT"],
            "$or": [
                on_new(a={"S": ["x"]}),
                {"dynamodb": {"$or": [{"SizeBytes": [1]}, {"NewImage": {"b": {"S": ["z"]}}}]}},
            ],
        }
        assert matches(pattern, new(a={"S": "x"}))
        assert matches(pattern, new(b={"S": "z"}))
        assert not matches(pattern, new(a={"S": "z"}))
        assert not matches(pattern, wire_record("MODIFY", new={"a": {"S": "x"}}))

    def test_one_member_of_a_set_or_list_is_enough(self) -> None:
        record = new(tags={"SS": ["a", "b"]}, rows={"L": [{"S": "x"}, {"M": {"k": {"N": "1"}}}]})
        assert matches(on_new(tags={"SS": ["b"]}), record)
        assert not matches(on_new(tags={"SS": ["c"]}), record)
        assert matches(on_new(rows={"L": {"M": {"k": {"N": ["1"]}}}}), record)

    def test_nested_maps_are_reached_through_their_types(self) -> None:
        record = new(dims={"M": {"w": {"N": "5"}}})
        assert matches(on_new(dims={"M": {"w": {"N": ["5"]}}}), record)

    def test_json_text_is_read(self) -> None:
        assert matches(json.dumps({"eventName": ["INSERT"]}), wire_record())

    def test_boto3s_spelling_is_read_as_lambdas(self) -> None:
        record = wire_record("REMOVE", old={"b": {"B": b"\x00\xff"}})
        record["userIdentity"] = {"Type": "Service", "PrincipalId": "dynamodb.amazonaws.com"}
        record["dynamodb"]["ApproximateCreationDateTime"] = datetime(
            2026, 1, 1, tzinfo=timezone.utc
        )
        pattern = {
            **TTL_PATTERN,
            "dynamodb": {
                "OldImage": {"b": {"B": ["AP8="]}},
                "ApproximateCreationDateTime": [1767225600],
            },
        }
        assert matches(pattern, record)


TTL_PATTERN = {
    "userIdentity": {"type": ["Service"], "principalId": ["dynamodb.amazonaws.com"]},
}


def test_time_to_live_deletions_can_be_told() -> None:
    assert matches(TTL_PATTERN, wire_record("REMOVE", **TTL))
    assert not matches(TTL_PATTERN, wire_record("REMOVE"))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ({}, None),
        ("{", None),
        ("[]", None),
        (["INSERT"], None),
        ({"eventName": "INSERT"}, "eventName"),
        ({"eventName": []}, "eventName"),
        ({"dynamodb": {}}, "dynamodb"),
        ({"eventName": [{"prefix": "a", "suffix": "b"}]}, "eventName[0]"),
        ({"eventName": ["x", {"wildcard": "*"}]}, "eventName[1]"),
        ({"eventName": [{"cidr": "10.0.0.0/24"}]}, "eventName[0]"),
        ({"eventName": [{"anything-but": {"prefix": "a"}}]}, "eventName[0]"),
        ({"eventName": [{"anything-but": ["a", 1]}]}, "eventName[0]"),
        ({"eventName": [{"anything-but": []}]}, "eventName[0]"),
        ({"eventName": [{"exists": "yes"}]}, "eventName[0]"),
        ({"eventName": [{"prefix": 5}]}, "eventName[0]"),
        ({"eventName": [{"numeric": [">"]}]}, "eventName[0]"),
        ({"eventName": [{"numeric": ["!", 5]}]}, "eventName[0]"),
        ({"eventName": [{"numeric": [">", "5"]}]}, "eventName[0]"),
        ({"eventName": [{"numeric": [">", 5_000_000_001]}]}, "eventName[0]"),
        ({"eventName": [{"numeric": ["<", 5, ">", 1]}]}, "eventName[0]"),
        ({"$or": [{"eventName": ["INSERT"]}]}, "$or"),
        ({"$or": ["INSERT", "MODIFY"]}, "$or[0]"),
        ({"dynamodb": {1: ["x"]}}, "dynamodb"),
    ],
)
def test_what_lambda_refuses_is_refused_with_its_path(pattern: Any, path: str | None) -> None:
    with pytest.raises(RouteDefinitionError) as caught:
        Pattern(pattern)
    assert caught.value.path == path


class TestLint:
    @pytest.mark.parametrize("name", ["eventSource", "eventSourceARN", "awsRegion"])
    def test_warns_of_what_lambda_may_add_after_filtering(self, name: str) -> None:
        (problem,) = lint({name: ["x"]})
        assert (problem.path, problem.fatal) == (name, False)

    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            (on_new(a={"N": [{"numeric": [">", 5]}]}), "dynamodb.NewImage.a.N[0]"),
            (on_new(a={"N": [5]}), "dynamodb.NewImage.a.N[0]"),
            (on_new(a=["x"]), "dynamodb.NewImage.a"),
            (on_new(a=[{"exists": True}]), "dynamodb.NewImage.a"),
            (on_new(a={"s": ["x"]}), "dynamodb.NewImage.a.s"),
            (on_new(a={"M": {"b": ["x"]}}), "dynamodb.NewImage.a.M.b"),
            (on_new(a={"S": {"b": ["x"]}}), "dynamodb.NewImage.a.S"),
            (on_new(a={"S": ["x"], "N": ["1"]}), "dynamodb.NewImage.a"),
            (on_new(a={"BOOL": ["true"]}), "dynamodb.NewImage.a.BOOL[0]"),
            ({"dynamodb": ["x"]}, "dynamodb"),
            ({"dynamodb": {"NewImage": ["x"]}}, "dynamodb.NewImage"),
            ({"dynamodb": {"newImage": {"a": {"S": ["x"]}}}}, "dynamodb.newImage"),
            ({"dynamodb": {"SizeBytes": ["5"]}}, "dynamodb.SizeBytes[0]"),
            ({"eventName": ["UPDATE"]}, "eventName[0]"),
            ({"EventName": ["INSERT"]}, "EventName"),
            ({"userIdentity": ["x"]}, "userIdentity"),
            ({"$or": [{"eventName": ["a"]}, {"eventName": ["b"]}]}, "$or[0].eventName[0]"),
        ],
    )
    def test_finds_what_can_never_match(self, pattern: Any, path: str) -> None:
        problems = lint(pattern)
        assert problems[0].path == path
        assert problems[0].fatal
        assert not any(matches(pattern, record) for record in PLENTY)

    @pytest.mark.parametrize(
        ("pattern", "path"),
        [
            (on_new(a=[{"exists": False}]), "dynamodb.NewImage.a"),
            (on_new(a={"N": ["1", {"numeric": [">", 5]}]}), "dynamodb.NewImage.a.N[1]"),
            ({"eventName": ["INSERT", "UPDATE"]}, "eventName[1]"),
            ({"$or": [{"eventName": ["INSERT"]}, {"eventName": ["b"]}]}, "$or[1].eventName[0]"),
        ],
    )
    def test_finds_what_is_dead_in_a_pattern_that_matches(self, pattern: Any, path: str) -> None:
        (problem,) = lint(pattern)
        assert problem.path == path
        assert not problem.fatal
        assert any(matches(pattern, record) for record in PLENTY)

    @pytest.mark.parametrize(
        "pattern",
        [
            {"eventName": ["INSERT"]},
            TTL_PATTERN,
            on_new(a={"S": ["x", {"exists": False}]}),
            on_new(a={"M": {"b": {"L": {"S": ["x"]}}}}),
            on_new(a={"N": [{"anything-but": "5"}]}, b={"BOOL": [True]}),
            {"dynamodb": {"ApproximateCreationDateTime": [{"numeric": [">", 5]}]}},
            {"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "Product#"}]}}}},
        ],
    )
    def test_is_content_with_what_can_match(self, pattern: Any) -> None:
        assert lint(pattern) == ()


PLENTY = [
    new(**attributes)
    for attributes in (
        {"a": {"S": "x"}},
        {"a": {"N": "1"}},
        {"a": {"N": "6"}},
        {"a": {"BOOL": True}},
        {"a": {"M": {"b": {"S": "x"}}}},
        {"b": {"S": "x"}},
    )
]


class TestOnARoute:
    def test_narrows_it(self) -> None:
        router, seen = StreamRouter(), []
        router.on_insert(pattern=on_new(a={"S": ["x"]}))(seen.append)
        router.dispatch([new(a={"S": "x"}), new(a={"S": "y"})])
        assert len(seen) == 1

    def test_is_refused_if_it_can_never_match(self) -> None:
        for pattern in (on_new(a={"N": [{"numeric": [">", 5]}]}), {"eventName": "INSERT"}):
            with pytest.raises(RouteDefinitionError, match="pattern"):
                StreamRouter().on_insert(pattern=pattern)(print)
