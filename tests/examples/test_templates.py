"""``template.yaml`` and ``serverless.yml`` deploy one and the same system."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")
pytest.importorskip("cfnlint")

VIEW_TYPES = ("KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's short tags, as the long form that both templates share."""


def _tag(loader: Any, suffix: str, node: Any) -> dict[str, Any]:
    if isinstance(node, yaml.SequenceNode):
        value: Any = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_scalar(node)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {"Ref" if suffix == "Ref" else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _tag)


def load(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.load(path.read_text(), _Loader)
    return document


@pytest.fixture
def sam(catalogue: Path) -> dict[str, Any]:
    return load(catalogue / "template.yaml")


@pytest.fixture
def serverless(catalogue: Path) -> dict[str, Any]:
    return load(catalogue / "serverless.yml")


def lint(template: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", "from cfnlint.runner import main; main()", "-t", str(template)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_cfn_lint_has_nothing_to_say_about_the_sam_template(catalogue: Path) -> None:
    lint(catalogue / "template.yaml")


def test_cfn_lint_has_nothing_to_say_about_serverless_resources(
    serverless: dict[str, Any], tmp_path: Path
) -> None:
    template = tmp_path / "resources.json"
    template.write_text(
        json.dumps({"AWSTemplateFormatVersion": "2010-09-09", **serverless["resources"]})
    )
    lint(template)


@pytest.mark.parametrize("name", ["template.yaml", "serverless.yml"])
def test_a_comment_names_all_four_view_types_and_new_and_old_images_is_chosen(
    catalogue: Path, name: str
) -> None:
    text = (catalogue / name).read_text()
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    for view_type in VIEW_TYPES:
        assert any(line.split()[1:2] == [view_type] for line in comments)
    assert text.count("StreamViewType: NEW_AND_OLD_IMAGES\n") == 1


@pytest.mark.parametrize(
    "resource", ["ProductTable", "FailedChanges", "AddProductRole", "ProductChangesRole"]
)
def test_both_templates_make_the_same_table_queue_and_roles(
    sam: dict[str, Any], serverless: dict[str, Any], resource: str
) -> None:
    assert sam["Resources"][resource] == serverless["resources"]["Resources"][resource]


def test_both_templates_map_the_stream_with_the_same_settings(
    sam: dict[str, Any], serverless: dict[str, Any]
) -> None:
    events = sam["Resources"]["ProductChanges"]["Properties"]["Events"]
    (by_sam,) = (event["Properties"] for event in events.values() if event["Type"] == "DynamoDB")
    (by_serverless,) = (
        event["stream"] for event in serverless["functions"]["productChanges"]["events"]
    )
    assert by_sam == {
        "Stream": by_serverless["arn"],
        "StartingPosition": by_serverless["startingPosition"],
        "BatchSize": by_serverless["batchSize"],
        "MaximumBatchingWindowInSeconds": by_serverless["batchWindow"],
        "MaximumRetryAttempts": by_serverless["maximumRetryAttempts"],
        "FunctionResponseTypes": [by_serverless["functionResponseType"]],
        "DestinationConfig": {
            "OnFailure": {"Destination": by_serverless["destinations"]["onFailure"]["arn"]}
        },
    }
    assert by_serverless["type"] == "dynamodb"
    assert by_serverless["destinations"]["onFailure"]["type"] == "sqs"


def test_the_mapping_waits_a_second_starts_at_latest_retries_once_and_reports_item_failures(
    sam: dict[str, Any],
) -> None:
    mapping = sam["Resources"]["ProductChanges"]["Properties"]["Events"]["ProductStream"]
    settings = mapping["Properties"]
    assert settings["MaximumBatchingWindowInSeconds"] == 1
    assert settings["StartingPosition"] == "LATEST"
    assert settings["MaximumRetryAttempts"] == 1
    assert settings["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert settings["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["FailedChanges", "Arn"]
    }


def test_both_templates_post_product_to_the_same_function_with_the_same_environment(
    sam: dict[str, Any], serverless: dict[str, Any]
) -> None:
    by_sam = sam["Resources"]["AddProduct"]["Properties"]
    by_serverless = serverless["functions"]["addProduct"]
    (route,) = by_sam["Events"].values()
    method, path = route["Properties"]["Method"], route["Properties"]["Path"]
    assert (
        by_serverless["events"]
        == [{"httpApi": f"{method} {path}"}]
        == [{"httpApi": "POST /product"}]
    )
    assert by_sam["Environment"]["Variables"] == by_serverless["environment"]


def test_both_templates_patch_and_delete_a_product_by_the_same_function(
    sam: dict[str, Any], serverless: dict[str, Any]
) -> None:
    by_sam = sam["Resources"]["ChangeProduct"]["Properties"]
    by_serverless = serverless["functions"]["changeProduct"]
    routes = [event["Properties"] for event in by_sam["Events"].values()]
    assert (
        [{"httpApi": f"{route['Method']} {route['Path']}"} for route in routes]
        == by_serverless["events"]
        == [{"httpApi": "PATCH /product/{id}"}, {"httpApi": "DELETE /product/{id}"}]
    )
    assert by_sam["Environment"]["Variables"] == by_serverless["environment"]


def test_both_templates_run_the_same_runtime_and_log_json(
    sam: dict[str, Any], serverless: dict[str, Any]
) -> None:
    by_sam, by_serverless = sam["Globals"]["Function"], serverless["provider"]
    assert by_sam["Runtime"] == by_serverless["runtime"]
    assert by_sam["Architectures"] == [by_serverless["architecture"]]
    assert by_sam["Timeout"] == by_serverless["timeout"]
    assert by_sam["MemorySize"] == by_serverless["memorySize"]
    assert by_sam["LoggingConfig"]["LogFormat"] == "JSON"
    assert by_serverless["logs"]["lambda"]["logFormat"] == "JSON"


@pytest.mark.parametrize(
    ("sam_name", "name"),
    [
        ("AddProduct", "addProduct"),
        ("ChangeProduct", "changeProduct"),
        ("ProductChanges", "productChanges"),
    ],
)
def test_each_function_has_its_own_role_and_a_handler_that_exists(
    sam: dict[str, Any], serverless: dict[str, Any], catalogue: Path, sam_name: str, name: str
) -> None:
    by_sam = sam["Resources"][sam_name]["Properties"]
    by_serverless = serverless["functions"][name]
    assert by_sam["Handler"] == by_serverless["handler"]
    assert by_sam["Role"] == {"Fn::GetAtt": [by_serverless["role"], "Arn"]}
    module, _, attribute = by_sam["Handler"].partition(".")
    for folder in (sam["Globals"]["Function"]["CodeUri"], by_serverless["module"]):
        source = (catalogue / folder / f"{module}.py").read_text()
        assert f"\n{attribute} = " in source or f"\ndef {attribute}(" in source


def statements(sam: dict[str, Any], role: str) -> dict[str, tuple[set[str], Any]]:
    (policy,) = sam["Resources"][role]["Properties"]["Policies"]
    found = {}
    for statement in policy["PolicyDocument"]["Statement"]:
        actions = statement["Action"]
        assert statement["Effect"] == "Allow"
        for action in [actions] if isinstance(actions, str) else actions:
            found[action] = statement["Resource"]
    return found


def test_the_stream_function_may_read_this_stream_and_write_its_failures_and_nothing_else(
    sam: dict[str, Any],
) -> None:
    stream = {"Fn::GetAtt": ["ProductTable", "StreamArn"]}
    assert statements(sam, "ProductChangesRole") == {
        "dynamodb:DescribeStream": stream,
        "dynamodb:GetRecords": stream,
        "dynamodb:GetShardIterator": stream,
        "dynamodb:ListStreams": stream,
        "sqs:SendMessage": {"Fn::GetAtt": ["FailedChanges", "Arn"]},
    }


def test_add_product_may_put_items_in_this_table_and_nothing_else(sam: dict[str, Any]) -> None:
    assert statements(sam, "AddProductRole") == {
        "dynamodb:PutItem": {"Fn::GetAtt": ["ProductTable", "Arn"]}
    }


def test_change_product_may_read_change_and_delete_items_of_this_table_and_nothing_else(
    sam: dict[str, Any],
) -> None:
    table = {"Fn::GetAtt": ["ProductTable", "Arn"]}
    assert statements(sam, "ChangeProductRole") == {
        "dynamodb:GetItem": table,
        "dynamodb:UpdateItem": table,
        "dynamodb:DeleteItem": table,
    }
