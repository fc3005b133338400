"""What `dev` takes from SAM, CloudFormation and Serverless files."""

from __future__ import annotations

import sys
from email.message import Message
from pathlib import Path
from typing import Any

import click
import pytest

pytest.importorskip("click")
pytest.importorskip("yaml")

from ddbstream.cli._dev_api import FunctionsApi
from ddbstream.cli._dev_target import find_target
from ddbstream.cli._http import Request
from ddbstream.cli._mapping_settings import MappingSettings
from ddbstream.cli._templates import Template, find_template, read_template

EXAMPLE = Path(__file__).parents[2] / "examples" / "product_catalog"


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def read(text: str, name: str = "template.yaml") -> Template:
        (tmp_path / name).write_text(text)
        return read_template(tmp_path / name)

    return read


def test_both_files_of_the_example_say_the_same() -> None:
    made = [read_template(EXAMPLE / name) for name in ("serverless.yml", "template.yaml")]
    (sls, sam) = made
    names = (("productChanges", "addProduct"), ("ProductChanges", "AddProduct"))
    for template, (changes, add) in zip(made, names, strict=True):
        function = template.function(None)
        assert (function.name, function.handler) == (changes, "product_changes.handler")
        assert function.folder == EXAMPLE / "functions"
        (event,) = function.streams
        assert event.table == "ProductTable"
        assert event.settings.said == {
            "batch_size": 100,
            "batch_window": 1,
            "starting_position": "LATEST",
            "maximum_retry_attempts": 1,
            "report_batch_item_failures": True,
            "failures_with_payload": False,
        }
        writer = template.function(add)
        assert writer.environment == {"TABLE_NAME": "ProductTable"}
        assert writer.paths == [("POST", "/product")]
        assert writer.timeout == 29
    assert sls.tables == sam.tables
    assert sls.tables["ProductTable"]["StreamSpecification"] == {
        "StreamEnabled": True,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }


SERVERLESS = """
service: shop
custom: {table: orders-dev, retries: 5}
provider:
  name: aws
  stage: dev
  environment: {STAGE: "${sls:stage}", QUEUE: !Ref Queue, DEBUG: true}
functions:
  orders:
    handler: src/orders.handler
    environment:
      TABLE: ${self:custom.table}
      ARN: !GetAtt Orders.Arn
      NAME: !Sub "${AWS::Region}-${Orders}"
      OTHER: ${env:NOT_SET_ANYWHERE, 'given'}
      HIDDEN: !ImportValue Something
    events:
      - stream:
          type: dynamodb
          arn: {Fn::GetAtt: [Orders, StreamArn]}
          batchSize: 10
          startingPosition: TRIM_HORIZON
          maximumRetryAttempts: ${self:custom.retries}
          maximumRecordAgeInSeconds: 60
          bisectBatchOnFunctionError: true
          parallelizationFactor: 2
          tumblingWindowInSeconds: 0
          filterPatterns:
            - eventName: [INSERT]
          destinations: {onFailure: {type: s3, arn: !GetAtt Bucket.Arn}}
  plain:
    handler: plain.handler
    events:
      - stream: arn:aws:dynamodb:eu-west-1:123456789012:table/Old/stream/2026
      - http: get items/{id}
      - httpApi: "*"
resources:
  - Resources:
      Orders:
        Type: AWS::DynamoDB::Table
        Properties:
          TableName: ${self:custom.table}
          KeySchema: [{AttributeName: id, KeyType: HASH}]
          AttributeDefinitions: [{AttributeName: id, AttributeType: N}]
"""


def test_a_serverless_file_with_variables_and_functions_of_cloudformation(read: Any) -> None:
    template = read(SERVERLESS, "serverless.yml")
    orders = template.function("orders")
    assert orders.handler == "src.orders.handler"
    assert orders.environment == {
        "STAGE": "dev",
        "QUEUE": "Queue",
        "DEBUG": "true",
        "TABLE": "orders-dev",
        "ARN": "arn:aws:dynamodb:us-east-1:123456789012:table/orders-dev",
        "NAME": "us-east-1-orders-dev",
        "OTHER": "given",
    }
    (event,) = orders.streams
    assert event.table == "orders-dev"
    assert event.settings.keyword_arguments() == {
        "batch_size": 10,
        "maximum_retry_attempts": 5,
        "maximum_record_age_in_seconds": 60,
        "bisect_batch_on_function_error": True,
        "parallelization_factor": 2,
        "tumbling_window_in_seconds": 0,
        "filter_criteria": {"Filters": [{"Pattern": '{"eventName": ["INSERT"]}'}]},
        "on_failure_payload": True,
    }
    plain = template.function("plain")
    assert plain.streams[0].table == "Old"
    assert plain.streams[0].settings.batch_size == 10  # the framework's own
    assert plain.paths == [("GET", "/items/{id}"), ("*", "/*")]
    assert template.tables["orders-dev"]["KeySchema"] == [
        {"AttributeName": "id", "KeyType": "HASH"}
    ]


CLOUDFORMATION = """
{"Parameters": {"Stage": {"Default": "dev"}},
 "Globals": {"Function": {
   "Timeout": 10, "Environment": {"Variables": {"STAGE": {"Ref": "Stage"}}}}},
 "Resources": {
  "Changes": {"Type": "AWS::Serverless::Function", "Properties": {
    "Handler": "changes.handler", "CodeUri": "src", "Environment": {"Variables": {"LEVEL": 3}}}},
  "Other": {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "other.handler"}},
  "Mapping": {"Type": "AWS::Lambda::EventSourceMapping", "Properties": {
    "FunctionName": {"Fn::GetAtt": ["Changes", "Arn"]},
    "EventSourceArn": {"Fn::GetAtt": ["Items", "StreamArn"]},
    "StartingPosition": "LATEST", "BisectBatchOnFunctionError": true,
    "FilterCriteria": {"Filters": [{"Pattern": "{}"}]}}},
  "Items": {"Type": "AWS::DynamoDB::Table", "Properties": {
    "KeySchema": [{"AttributeName": "PK", "KeyType": "HASH"}],
    "AttributeDefinitions": [{"AttributeName": "PK", "AttributeType": "S"}]}}}}
"""


def test_a_mapping_that_is_a_resource_of_its_own_is_its_functions(
    read: Any, tmp_path: Path
) -> None:
    template = read(CLOUDFORMATION, "template.json")
    changes = template.function(None)
    assert (changes.name, changes.folder, changes.timeout) == ("Changes", tmp_path / "src", 10)
    assert changes.environment == {"STAGE": "dev", "LEVEL": "3"}
    (event,) = changes.streams
    assert (event.table, event.settings.bisect, event.settings.filters) == ("Items", True, ("{}",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "not YAML"),
        ("- 1", "neither functions nor Resources"),
        ("Resources: {}", "say by --function which one; those with a stream: none"),
    ],
)
def test_what_is_no_template_is_told(read: Any, text: str, message: str) -> None:
    with pytest.raises(click.ClickException, match=message):
        read(text).function(None)


def test_a_function_that_is_not_there_is_told_with_those_that_are(read: Any) -> None:
    with pytest.raises(click.UsageError, match="no function 'order'; it has: orders, plain"):
        read(SERVERLESS).function("order")
    with pytest.raises(click.UsageError, match="those with a stream: orders, plain"):
        read(SERVERLESS).function(None)


def test_options_come_before_the_templates_settings_and_pass_through_a_command_line() -> None:
    said = MappingSettings(batch_size=5, bisect=False, filters=("{}", '{"a": [1]}'))
    target = find_target(None, EXAMPLE / "serverless.yml", None, said)
    assert target.settings.said == {
        "batch_size": 5,
        "bisect": False,
        "filters": ("{}", '{"a": [1]}'),
        "batch_window": 1,
        "starting_position": "LATEST",
        "maximum_retry_attempts": 1,
        "report_batch_item_failures": True,
        "failures_with_payload": False,
    }
    assert said.arguments() == [
        *("--batch-size", "5", "--no-bisect"),
        *("--filter", "{}", "--filter", '{"a": [1]}'),
    ]


def test_an_app_is_the_function_of_the_template_that_has_this_handler() -> None:
    target = find_target("add_product:handler", EXAMPLE / "serverless.yml", None, MappingSettings())
    assert target.function is not None
    assert target.function.name == "addProduct"
    assert target.app == "add_product:handler"


def test_without_an_app_and_a_template_it_is_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_template(tmp_path) is None
    with pytest.raises(click.UsageError, match="give APP, or --template"):
        find_target(None, None, None, MappingSettings())


def test_the_functions_answer_by_method_and_path(
    read: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "plain.py").write_text(
        "def handler(event, context):\n"
        "    return {'path': event['pathParameters'], 'left': context.function_name}\n"
    )
    monkeypatch.setattr("sys.path", [""])
    monkeypatch.setitem(sys.modules, "plain", None)  # to be as it was afterwards
    monkeypatch.delitem(sys.modules, "plain")
    api = FunctionsApi([read(SERVERLESS).function("plain")])
    answer = api.respond(Request("GET", "/items/7", Message(), b""))
    assert (answer.status, answer.body) == (200, b'{"path": {"id": "7"}, "left": "plain"}\n')


BOMB = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (BOMB, "unfolds without an end"),
        ("Resources: &a {X: *a}\n", "unfolds without an end"),
        ("Resources: &a {X: [{Y: *a}]}\n", "unfolds without an end"),
        ("a: [" + "[" * 3000 + "]" * 3000 + "]\n", "nested too deeply"),
        ("a: 2001-99-99\n", "not YAML"),
        ("a: 2001-01-01T00:00:00+99:99\n", "not YAML"),
        ("a: !!int ''\n", "not YAML"),
        ("a: !!bool maybe\n", "not YAML"),
        ("a: !!timestamp now\n", "not YAML"),
        ("a: " + "1" * 5000 + "\n", "not YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "not YAML"),
    ],
)
def test_a_file_that_is_no_template_is_told_in_a_sentence(read: Any, text: str, says: str) -> None:
    with pytest.raises(click.ClickException, match=says):
        read(text)


def test_what_several_functions_share_is_read_for_each(read: Any) -> None:
    text = "Resources:\n  A: &a {Type: AWS::Serverless::Function, Properties: {Handler: app.a}}\n"
    text += "".join(f"  B{n}: *a\n" for n in range(500))
    assert len(read(text).functions) == 501
