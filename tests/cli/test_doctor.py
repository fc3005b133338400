"""``ddbstream doctor`` tells what loses records from what only costs, and never a secret."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
from botocore.stub import Stubber
from click.testing import CliRunner, Result
from moto import mock_aws

from ddbstream.cli import doctor as module
from ddbstream.cli._app import cli
from ddbstream.cli._aws import boto3_client
from ddbstream.testing import FakeStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REGION = "eu-west-1"
UUID = "6b3a1c52-0000-4000-8000-000000000001"
APP = """
from ddbstream import LambdaHandler, StreamRouter, by_key_prefix

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_insert("Product")
def added(record):
    print(record.keys)

handler = LambdaHandler(router, report_batch_item_failures=True)

stopping = LambdaHandler(router, report_batch_item_failures=True, deadline_margin=0.5)
late = LambdaHandler(router, report_batch_item_failures=True, deadline_margin=60)

unknown = StreamRouter()
raising = LambdaHandler(StreamRouter())
not_an_app = 7

compared = StreamRouter()

@compared.on_modify(changed="price")
def repriced(record):
    pass

reading = StreamRouter()

@reading.on_modify()
def shown(record):
    print(record.diff)

new_only = StreamRouter()

@new_only.on_insert(changed="price")
def new(record):
    print(record.new)

folding = StreamRouter()

@folding.fold()
def total(state: dict, record) -> dict:
    return state
"""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A DynamoDB of its own, and the module ``doctors_app`` in the current folder."""
    (tmp_path / "doctors_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-mine")
    # moto has no account-based hosts, which boto3 chooses where it knows the account.
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    monkeypatch.delitem(sys.modules, "doctors_app", raising=False)
    with mock_aws():
        yield


def make_table(name: str = "Catalogue", view_type: str | None = "NEW_AND_OLD_IMAGES") -> str:
    """A table; its stream's ARN, or nothing where it has none."""
    client: Any = boto3.client("dynamodb", region_name=REGION)
    stream = {"StreamEnabled": True, "StreamViewType": view_type} if view_type else None
    table = client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        **({"StreamSpecification": stream} if stream else {}),
    )["TableDescription"]
    return str(table.get("LatestStreamArn", ""))


def doctor(*arguments: str) -> tuple[Result, dict[str, dict[str, Any]]]:
    """The command's result, and its lines by what was checked."""
    result = CliRunner().invoke(cli, ["doctor", *arguments])
    assert "a-secret-of-mine" not in result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return result, {line["check"]: line for line in lines}


@pytest.fixture
def mapped(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """``mapped(MaximumRetryAttempts=3)``: a table whose stream a function is mapped to."""
    stubbers = []

    def mapped(
        *,
        others: int = 0,
        arn: str | None = None,
        timeout: int = 60,
        named: bool = True,
        **settings: Any,
    ) -> str:
        stream = make_table()
        mapping = {"UUID": UUID, "EventSourceArn": arn or stream, "State": "Enabled", **settings}
        client: Any = boto3.client("lambda", region_name=REGION)
        stubber = Stubber(client)
        answer = {"EventSourceMappings": [mapping]}
        stubber.add_response("list_event_source_mappings", answer, {"FunctionName": "changes"})
        if not named:
            stubber.add_response("list_event_source_mappings", answer, {"FunctionName": "changes"})
        readers = {"EventSourceMappings": [mapping] * (1 + others)}
        stubber.add_response("list_event_source_mappings", readers, {"EventSourceArn": stream})
        if arn is None:
            about = {"FunctionName": "changes"}
            stubber.add_response("get_function_configuration", {"Timeout": timeout}, about)
        stubber.activate()
        stubbers.append(stubber)
        monkeypatch.setattr(
            module,
            "boto3_client",
            lambda service, **where: (
                client if service == "lambda" else boto3_client(service, **where)
            ),
        )
        return stream

    yield mapped
    for stubber in stubbers:
        stubber.assert_no_pending_responses()


GOOD: dict[str, Any] = {
    "FunctionResponseTypes": ["ReportBatchItemFailures"],
    "BisectBatchOnFunctionError": True,
    "MaximumRetryAttempts": 5,
    "MaximumRecordAgeInSeconds": 3600,
    "BatchSize": 100,
    "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:eu-west-1:1:failed"}},
    "FilterCriteria": {
        "Filters": [
            {
                "Pattern": '{"eventName": ["INSERT"], '
                '"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "Product#"}]}}}}'
            }
        ]
    },
}


def test_without_a_table_it_checks_the_installation(aws: None) -> None:
    result, checks = doctor()
    assert result.exit_code == 0
    assert {check["status"] for check in checks.values()} == {"ok"}
    assert list(checks) == [
        *("python", "ddbstream", "boto3", "botocore", "extras", "region", "credentials")
    ]
    assert checks["region"]["message"] == REGION


def test_an_extra_is_there_when_all_that_it_brings_is(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(__file__).parents[2] / "pyproject.toml"
    declared = pytest.importorskip("tomllib").loads(project.read_text())["project"]
    called = {"pyyaml": "yaml", "py-partiql-parser": "py_partiql_parser"}
    extras: dict[str, set[str]] = {}
    for extra, packages in declared["optional-dependencies"].items():
        names = {package.partition(">")[0] for package in packages}
        extras[extra] = {called.get(name, name) for name in names - {"ddbstream[cli]"}}
    extras["demo"] |= extras["cli"]
    for missing in sorted(set.union(*extras.values())):
        monkeypatch.setattr(module, "find_spec", lambda name, gone=missing: name != gone or None)
        there = {extra for extra, needed in extras.items() if missing not in needed}
        assert set(doctor()[1]["extras"]["message"].split(", ")) == there


@pytest.mark.parametrize(("found", "status"), [("1.35.15", "warning"), ("1.35.16", "ok")])
def test_an_old_botocore_is_a_warning(
    aws: None, monkeypatch: pytest.MonkeyPatch, found: str, status: str
) -> None:
    monkeypatch.setattr(module, "version", lambda _: found)
    result, checks = doctor()
    assert (result.exit_code, checks["botocore"]["status"]) == (0, status)


@pytest.mark.parametrize("name", ["region", "credentials"])
def test_no_region_and_no_credentials_are_problems(
    aws: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    class Session:
        region_name = None if name == "region" else REGION

        def get_credentials(self) -> Any:
            return None if name == "credentials" else type("Found", (), {"method": "env"})

    monkeypatch.setattr(boto3, "Session", Session)
    for arguments in ([], ["Catalogue"]):
        result, checks = doctor(*arguments)
        assert result.exit_code == 1
        assert checks[name]["status"] == "problem"
        assert checks[name]["message"] == "none found"


def test_a_stream_in_another_region_is_a_problem(aws: None) -> None:
    arn = make_table()
    result, checks = doctor(arn, "--region", "us-east-1")
    assert result.exit_code == 1
    assert checks["region"]["message"] == f"us-east-1, but the stream is in {REGION}"
    assert checks["stream"]["status"] == "ok"


def test_a_table_and_its_streams_arn_are_the_same(aws: None) -> None:
    arn = make_table()
    for name in ("Catalogue", arn):
        result, checks = doctor(name)
        assert result.exit_code == 0, result.output
        assert checks["stream"]["message"] == f"{arn} is ENABLED"
        assert checks["view type"]["message"] == "NEW_AND_OLD_IMAGES"


def test_a_table_without_a_stream_and_one_that_is_not_there_are_problems(aws: None) -> None:
    make_table("Plain", None)
    for name, message in (("Plain", "has no stream"), ("None", "there is no table")):
        result, checks = doctor(name)
        assert result.exit_code == 1
        assert message in checks["stream"]["message"]
        assert "--stream-specification" in checks["stream"]["remedy"]


def test_a_stream_that_is_off_is_a_problem() -> None:
    check = module._status({"StreamArn": "arn", "TableName": "T", "StreamStatus": "DISABLED"})
    assert check.status == "problem"
    assert "--table-name T " in str(check.remedy)


@pytest.mark.parametrize(
    ("view_type", "app", "status"),
    [
        ("NEW_IMAGE", "compared", "problem"),
        ("OLD_IMAGE", "compared", "problem"),
        ("NEW_AND_OLD_IMAGES", "compared", "ok"),
        ("NEW_IMAGE", "reading", "warning"),
        ("NEW_AND_OLD_IMAGES", "reading", "ok"),
        ("NEW_IMAGE", "new_only", "ok"),
        ("KEYS_ONLY", "new_only", "problem"),
        ("KEYS_ONLY", "router", "ok"),
    ],
)
def test_the_view_type_is_held_against_what_routes_need(
    aws: None, view_type: str, app: str, status: str
) -> None:
    make_table(view_type=view_type)
    result, checks = doctor("Catalogue", "--app", f"doctors_app:{app}")
    assert checks["view type"]["status"] == status
    assert result.exit_code == (status == "problem")


@pytest.mark.parametrize("app", ["router", "handler"])
def test_a_mapping_that_is_as_it_should_be_is_all_ok(mapped: Callable[..., Any], app: str) -> None:
    mapped(**GOOD)
    result, checks = doctor("Catalogue", "--function", "changes", "--app", f"doctors_app:{app}")
    assert result.exit_code == 0
    assert {name for name, check in checks.items() if check["status"] != "ok"} == set()
    assert {"partial responses", "filters", "readers", "retries"} <= checks.keys()


@pytest.mark.parametrize(
    ("change", "name", "status"),
    [
        ({"FunctionResponseTypes": []}, "partial responses", "problem"),
        ({"State": "Disabled"}, "mapping", "problem"),
        ({"LastProcessingResult": "PROBLEM: Function call failed"}, "last invocation", "warning"),
        ({"MaximumRetryAttempts": -1, "MaximumRecordAgeInSeconds": -1}, "retries", "warning"),
        ({"MaximumRetryAttempts": -1}, "retries", "ok"),
        ({"DestinationConfig": {"OnFailure": {}}}, "on-failure destination", "problem"),
        ({"BisectBatchOnFunctionError": False}, "bisect", "ok"),
        ({"BisectBatchOnFunctionError": False, "FunctionResponseTypes": []}, "bisect", "warning"),
        ({"BatchSize": 1}, "batch size", "warning"),
        ({"FilterCriteria": {}}, "filters", "warning"),
        ({"timeout": 1, "BatchSize": 1000}, "timeout", "warning"),
        ({"timeout": 10, "BatchSize": 1000}, "timeout", "ok"),
        ({"TumblingWindowInSeconds": 60}, "window", "warning"),
        ({"ParallelizationFactor": 10}, "parallelization", "ok"),
        ({"others": 1}, "readers", "warning"),
        ({"others": 2}, "readers", "problem"),
    ],
)
def test_each_setting_of_a_mapping_is_judged(
    mapped: Callable[..., Any], change: dict[str, Any], name: str, status: str
) -> None:
    mapped(**{**GOOD, **change})
    result, checks = doctor("Catalogue", "--function", "changes", "--app", "doctors_app:handler")
    assert checks[name]["status"] == status
    assert (checks[name]["remedy"] is None) == (status == "ok")
    problems = [check for check in checks.values() if check["status"] == "problem"]
    assert result.exit_code == bool(problems)
    assert status == "problem" or name == "bisect" or not problems


@pytest.mark.parametrize(
    ("app", "message"), [("raising", "the handler raises"), ("unknown", "is unknown")]
)
def test_a_handler_that_raises_or_is_not_known_is_a_warning(
    mapped: Callable[..., Any], app: str, message: str
) -> None:
    mapped(**GOOD)
    _, checks = doctor("Catalogue", "--function", "changes", "--app", f"doctors_app:{app}")
    assert checks["partial responses"]["status"] == "warning"
    assert message in checks["partial responses"]["message"]


KEYS_OF_PRODUCTS = {"PK": {"S": [{"prefix": "Product#"}]}}


@pytest.mark.parametrize(
    ("pattern", "status", "message"),
    [
        ({"a": ["b"]}, "problem", "filter 1 can never match: a: no stream record has it"),
        ({"eventName": ["INSRT"]}, "problem", "filter 1 can never match"),
        ({"eventName": ["MODIFY"]}, "problem", "leave out INSERT that the route added wants"),
        ({"dynamodb": {"OldImage": {"a": {"S": [{"exists": True}]}}}}, "problem", "leave out"),
        ({"dynamodb": {"Keys": {"PK": {"S": [{"prefix": "Order#"}]}}}}, "problem", "leave out"),
        ({"dynamodb": {"NewImage": {"PK": {"S": ["Order#1"]}}}}, "problem", "leave out"),
        ({"$or": [{"eventName": ["MODIFY"]}, {"eventName": ["REMOVE"]}]}, "problem", "leave out"),
        ({"dynamodb": {"Keys": KEYS_OF_PRODUCTS}}, "warning", "may leave out"),
        ({"eventName": ["INSERT"]}, "warning", "may leave out"),
        ({"$or": [{"eventName": ["INSERT"]}, {"eventName": ["REMOVE"]}]}, "warning", "may"),
        ({"dynamodb": {"NewImage": {"price": {"N": ["5"]}}}}, "warning", "may leave out"),
        ({"dynamodb": {"OldImage": {"PK": {"S": [{"exists": False}]}}}}, "warning", "may leave"),
        ({"eventName": [{"wildcard": "*"}]}, "warning", "cannot read"),
    ],
)
def test_filters_that_lose_what_a_route_wants_or_never_match_are_problems(
    mapped: Callable[..., Any], pattern: dict[str, Any], status: str, message: str
) -> None:
    mapped(**{**GOOD, "FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]}})
    result, checks = doctor("Catalogue", "--function", "changes", "--app", "doctors_app:handler")
    assert checks["filters"]["status"] == status
    assert message in checks["filters"]["message"]
    assert "ddbstream filters" in checks["filters"]["remedy"]
    assert result.exit_code == (status == "problem")


def test_a_second_filter_may_let_through_what_the_first_leaves_out(
    mapped: Callable[..., Any],
) -> None:
    two = [{"Pattern": '{"eventName": ["REMOVE"]}'}, {"Pattern": '{"eventName": ["INSERT"]}'}]
    mapped(**{**GOOD, "FilterCriteria": {"Filters": two}})
    result, checks = doctor("Catalogue", "--function", "changes", "--app", "doctors_app:handler")
    assert (result.exit_code, checks["filters"]["status"]) == (0, "warning")


@pytest.mark.parametrize(
    ("app", "timeout", "status"),
    [("stopping", 60, "ok"), ("stopping", 1, "ok"), ("late", 60, "warning"), ("late", 120, "ok")],
)
def test_a_deadline_is_held_against_the_timeout(
    mapped: Callable[..., Any], app: str, timeout: int, status: str
) -> None:
    mapped(**{**GOOD, "timeout": timeout, "BatchSize": 1000})
    _, checks = doctor("Catalogue", "--function", "changes", "--app", f"doctors_app:{app}")
    assert checks["timeout"]["status"] == status


def test_lanes_share_no_state_of_a_window(mapped: Callable[..., Any]) -> None:
    mapped(**GOOD, TumblingWindowInSeconds=60, ParallelizationFactor=2)
    result, checks = doctor("Catalogue", "--function", "changes", "--app", "doctors_app:folding")
    assert checks["window"]["status"] == "ok"
    assert checks["parallelization"]["status"] == "warning"
    assert result.exit_code == 1  # GOOD has the filters of another router
    assert checks["filters"]["status"] == "problem"


def test_a_function_finds_its_table(mapped: Callable[..., Any]) -> None:
    mapped(**GOOD, named=False)
    result, checks = doctor("--function", "changes", "--app", "doctors_app:handler")
    assert result.exit_code == 0, result.output
    assert "/Catalogue/stream/" in checks["stream"]["message"]
    assert checks["filters"]["status"] == "ok"


@pytest.mark.parametrize("mappings", [[], ["arn:aws:kinesis:eu-west-1:1:stream/changes"]])
def test_a_function_without_a_dynamodb_stream_is_a_problem(
    aws: None, monkeypatch: pytest.MonkeyPatch, mappings: list[str]
) -> None:
    client: Any = boto3.client("lambda", region_name=REGION)
    answer = {"EventSourceMappings": [{"UUID": UUID, "EventSourceArn": arn} for arn in mappings]}
    with Stubber(client) as stubber:
        stubber.add_response("list_event_source_mappings", answer, {"FunctionName": "changes"})
        monkeypatch.setattr(module, "boto3_client", lambda service, **where: client)
        result, checks = doctor("--function", "changes")
    assert result.exit_code == 1
    assert "changes is mapped to no DynamoDB stream" in checks["mapping"]["message"]
    assert all(arn in checks["mapping"]["message"] for arn in mappings)


def test_routes_are_tried_on_what_the_stream_holds(aws: None) -> None:
    make_table()
    client: Any = boto3.client("dynamodb", region_name=REGION)

    def tried(*more: str) -> dict[str, Any]:
        result, checks = doctor("Catalogue", "--app", "doctors_app:router", *more)
        assert result.exit_code == 0, result.output
        return checks.get("routes", {})

    assert tried()["message"] == "not tried: the stream holds no record now"
    client.put_item(TableName="Catalogue", Item={"PK": {"S": "Prodct#1"}})
    missed = tried()
    assert missed["status"] == "warning"
    assert missed["message"].startswith("added: none of 1 recent record reaches it")
    assert "this is Prodct" in missed["message"]
    assert "the entities seen: Prodct" in missed["remedy"]
    _, checks = doctor("Catalogue", "--app", "doctors_app:router")
    assert checks["entities"]["message"] == "no route wants 1 of 1 recent record: Prodct (1)"
    client.put_item(TableName="Catalogue", Item={"PK": {"S": "Product#1"}})
    assert tried()["message"] == "each is reached by one of 2 recent records"
    assert tried("--no-records") == {}


def test_the_newest_shards_are_read_on_whichever_page_they_are_listed(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table("Table")
    stream = FakeStream("Table", page_shards=2)
    for _ in range(3):
        stream.clock.advance(60)
        stream.split()
    stream.put({"PK": "Product#1"})
    monkeypatch.setattr(
        module,
        "boto3_client",
        lambda service, **where: (
            stream if service == "dynamodbstreams" else boto3_client(service, **where)
        ),
    )
    _, checks = doctor(stream.arn, "--app", "doctors_app:router")
    assert checks["routes"]["message"] == "each is reached by one of 1 recent record"


def test_folds_need_a_window(mapped: Callable[..., Any]) -> None:
    arguments = ["Catalogue", "--function", "changes", "--app", "doctors_app:folding"]
    mapped(**GOOD)
    assert doctor(*arguments)[1]["window"]["status"] == "problem"


def test_a_mapping_of_an_older_stream_of_the_table_is_a_problem(
    mapped: Callable[..., Any],
) -> None:
    table = f"arn:aws:dynamodb:{REGION}:123456789012:table/Catalogue"
    mapped(arn=f"{table}/stream/2020-01-01T00:00:00.000")
    result, checks = doctor("Catalogue", "--function", "changes")
    assert result.exit_code == 1
    assert checks["mapping"]["message"] == "changes is mapped to an older stream of the table"


def test_what_aws_refuses_is_a_problem_without_its_message(
    aws: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_table()
    client: Any = boto3.client("lambda", region_name=REGION)
    with Stubber(client) as stubber:
        stubber.add_client_error(
            "list_event_source_mappings", "AccessDeniedException", "x-amz-security-token:abc"
        )
        monkeypatch.setattr(
            module,
            "boto3_client",
            lambda service, **where: (
                client if service == "lambda" else boto3_client(service, **where)
            ),
        )
        result, checks = doctor("Catalogue", "--function", "changes")
    assert result.exit_code == 1
    assert checks["mapping"]["message"] == "ListEventSourceMappings: AccessDeniedException"
    assert checks["mapping"]["remedy"] == "allow lambda:ListEventSourceMappings"
    assert "security-token" not in result.output


def test_an_app_is_a_router_or_handler(aws: None) -> None:
    result = CliRunner().invoke(cli, ["doctor", "--app", "doctors_app:not_an_app"])
    assert result.exit_code == 2
    assert "no StreamRouter or LambdaHandler" in result.output


def test_on_a_terminal_it_is_readable(on_a_terminal: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "doctors_app.py").write_text(APP)
    seen = on_a_terminal("doctor", "--region", REGION)
    assert "✓ python" in seen
    assert "{" not in seen
