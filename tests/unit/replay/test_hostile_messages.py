"""One bad message hides none of the good ones, and is named itself."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ddbstream import StreamRouter, parse, testing
from ddbstream.exceptions import DDBStreamError, PayloadError, PollerError
from ddbstream.replay import ReplayHandler, ReplayReport, Unreadable, failed_batches, replay
from tests.unit.wire.payloads import failure_message, lambda_record, sqs_message


def carrying(*records: Any, **info: Any) -> dict[str, Any]:
    """A message that has its records, as in S3."""
    message = failure_message(payload={"Records": list(records)})
    message["DDBStreamBatchInfo"] |= info
    return message


def naming(**info: Any) -> dict[str, Any]:
    message = failure_message()
    message["DDBStreamBatchInfo"] |= info
    return message


def nested(depth: int) -> Any:
    inside: Any = {"Records": [lambda_record()]}
    for _ in range(depth):
        inside = {"detail-type": "x", "detail": inside}
    return inside


def router(seen: list[Any]) -> StreamRouter:
    made = StreamRouter(classify=lambda _: "x")
    made.on_change()(seen.append)
    return made


def replayed(source: object, seen: list[Any]) -> ReplayReport:
    return replay(source, router(seen), region_name=None)


FOREIGN = "arn:aws:dynamodb:no such region:123456789012:table/T/stream/2026-01-01T00:00:00.000"
BAD = [
    pytest.param(naming(startSequenceNumber="9" * 5000), id="a number of 5,000 digits"),
    pytest.param(naming(startSequenceNumber="\u0663"), id="a digit of another script"),
    pytest.param(naming(startSequenceNumber="2", endSequenceNumber="1"), id="the end first"),
    pytest.param(nested(700), id="700 messages in each other"),
    pytest.param(naming(streamArn=FOREIGN), id="a region that there is not"),
    pytest.param({"no": "message"}, id="no message"),
]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_message_is_named_and_the_others_are_done(bad: Any, place: int) -> None:
    good = carrying(lambda_record(), batchSize=1)
    messages = [sqs_message(good, message_id="good")]
    messages.insert(place, sqs_message(bad, message_id="bad"))
    seen: list[Any] = []
    report = replayed({"Records": messages}, seen)
    assert len(seen) == report.done == 1
    assert report.unfinished_identifiers == ["bad"]


@pytest.mark.parametrize("bad", BAD)
def test_a_replay_handler_names_a_bad_message_alone(bad: Any) -> None:
    messages = [
        sqs_message(bad, message_id="bad"),
        sqs_message(carrying(lambda_record(), batchSize=1), message_id="good"),
    ]
    seen: list[Any] = []
    handler = ReplayHandler(router(seen), report_batch_item_failures=True)
    assert handler({"Records": messages}) == {"batchItemFailures": [{"itemIdentifier": "bad"}]}
    assert len(seen) == 1


@pytest.mark.parametrize("bad", ["{", '{"a": }', "[" * 100_000, "nonsense"])
@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_line_hides_no_other(bad: str, place: int) -> None:
    lines = [json.dumps(carrying(lambda_record(), batchSize=1))] * 2
    lines.insert(place, bad)
    found = list(failed_batches("\n".join(lines)))
    assert [isinstance(one, Unreadable) for one in found].count(True) == 1
    assert len(found) == 3


def test_a_message_with_fewer_records_than_it_says_has_a_gap() -> None:
    seen: list[Any] = []
    report = replayed([carrying(batchSize=3)], seen)
    assert [(gap.missing, gap.reason) for gap in report.gaps] == [(3, "short")]
    report = replayed([carrying(lambda_record(), batchSize=3)], seen)
    assert [gap.missing for gap in report.gaps] == [2]
    assert replayed([carrying(lambda_record(), batchSize=1)], seen).gaps == []


@pytest.mark.parametrize("size", [True, -1, "3", 10**30, None, [3]])
def test_a_size_that_is_none_is_not_known(size: Any) -> None:
    (batch,) = failed_batches(carrying(batchSize=size))
    assert batch.size is None  # type: ignore[union-attr]


def test_progress_that_is_no_number_is_named() -> None:
    class Odd:
        def load(self, key: str) -> str:
            return "many"

        def save(self, key: str, value: str) -> None: ...

    for message in (carrying(lambda_record()), failure_message()):
        report = replay([message], router([]), progress=Odd(), region_name="eu-west-1")
        assert isinstance(report.failures[0].error, PollerError)


def each(payload: Any) -> list[str]:
    """The events of a payload's records; of those that are malformed, why."""
    records, found = parse(payload), []
    while True:
        try:
            found.append(str(next(records).event_name))
        except StopIteration:  # noqa: PERF203 - the others are still to be read
            return found
        except DDBStreamError as error:
            found.append(error.problem)


def test_parse_refuses_what_is_nested_too_deeply_in_its_place() -> None:
    assert each(nested(8)) == ["MODIFY"]
    with pytest.raises(PayloadError, match="too deeply"):
        parse(nested(700))
    refused, event = each({"Records": [sqs_message(nested(700)), lambda_record()]})
    assert "too deeply" in refused
    assert event == "MODIFY"


def test_parse_reads_lines_behind_a_bad_first_one() -> None:
    good = json.dumps(testing.lambda_event([testing.insert({"id": "a"})]))
    refused, event = each('{"a": }\n' + good)
    assert "stops being JSON" in refused
    assert event == "INSERT"
