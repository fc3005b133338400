"""``ddbstream filters``: derived in each tool's form, and linted in each tool's file."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("click")
from click.testing import CliRunner

from ddbstream.cli._app import cli
from ddbstream.cli._filter_formats import FORMATS
from ddbstream.cli._hcl import filter_blocks

EXAMPLES = Path(__file__).parents[2] / "examples"
APP = """
from ddbstream import StreamRouter, by_key_prefix
router = StreamRouter(classify=by_key_prefix("PK"))
@router.on_insert("Product")
def added(record): pass
@router.on_remove("Order", ttl=True)
def expired(record): pass
everything = StreamRouter()
everything.on_change()(added)
empty = StreamRouter()
"""
# What text, quotes and templates of each tool could break on.
PATTERNS: list[dict[str, Any]] = [
    {"eventName": ["INSERT", "MODIFY"], "dynamodb": {"Keys": {"PK": {"S": [{"prefix": "P#"}]}}}},
    {
        "dynamodb": {
            "NewImage": {
                "it's": {"S": ['"q"', "${x}", "%{y}", "\b\f\n\\", "\x7f\u2028ü😀", "a\\b"]}
            }
        }
    },
    {"$or": [{"eventName": ["REMOVE"]}, {"dynamodb": {"NewImage": {"on": {"BOOL": [True]}}}}]},
    {"dynamodb": {"SizeBytes": [{"numeric": [">", 1.5]}], "OldImage": {"a": {"S": [None]}}}},
]
CRITERIA = {"Filters": [{"Pattern": json.dumps(one)} for one in PATTERNS]}


def read_back(form: str, text: str) -> list[dict[str, Any]]:
    """The patterns that a tool would read."""
    if form == "terraform":
        (block,) = filter_blocks(text)
        return [json.loads(one or "") for one in block.patterns]
    if form == "cdk":
        calls = [line.strip()[len("aws_lambda.FilterCriteria.filter(") : -2] for line in
                 text.splitlines()[1:-1]]  # fmt: skip
        return [ast.literal_eval(one) for one in calls]
    if form == "json":
        return [json.loads(one["Pattern"]) for one in json.loads(text)["Filters"]]
    loaded = pytest.importorskip("yaml").safe_load(text)
    if form == "serverless":
        return list(loaded["filterPatterns"])
    return [json.loads(one["Pattern"]) for one in loaded["FilterCriteria"]["Filters"]]


@pytest.mark.parametrize("form", FORMATS)
def test_each_tool_reads_the_patterns_that_were_derived(form: str) -> None:
    assert read_back(form, FORMATS[form](CRITERIA)) == PATTERNS
    if form != "terraform":
        assert read_back(form, FORMATS[form]({"Filters": []})) == []


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "filtered_app.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("form", FORMATS)
def test_a_routers_filters_come_in_the_form_that_is_asked_for(app: Path, form: str) -> None:
    asked = ["filters", "filtered_app:router", "--key", "PK", "--format", form]
    result = CliRunner().invoke(cli, asked)
    assert result.exit_code == 0, result.output
    both = read_back(form, result.stdout)
    assert {tuple(one["eventName"]) for one in both} == {("INSERT",), ("REMOVE",)}
    same = CliRunner().invoke(cli, ["filters", "derive", *asked[1:]])
    assert same.stdout == result.stdout


def test_derive_is_what_filters_does_and_the_help_has_both() -> None:
    text = CliRunner().invoke(cli, ["filters", "--help"]).output
    assert "derive" in text
    assert "lint" in text
    assert CliRunner().invoke(cli, ["filters"]).exit_code == 2
    unknown = CliRunner().invoke(cli, ["filters", "nowhere.to:be_found"])
    assert (unknown.exit_code, "no module" in unknown.output) == (2, True)


def test_a_router_without_routes_and_one_that_wants_all_say_so(app: Path) -> None:
    empty = CliRunner().invoke(cli, ["filters", "filtered_app:empty"])
    assert (empty.exit_code, "has no route" in empty.output) == (1, True)
    every = CliRunner().invoke(cli, ["filters", "filtered_app:everything", "--format", "sam"])
    assert (every.exit_code, every.stdout) == (0, "FilterCriteria:\n  Filters: []\n")
    assert "wants every record" in every.stderr


def lint(path: Path, text: str, *arguments: str) -> tuple[int, list[dict[str, Any]], str]:
    """The exit code, the lines, and what was said on standard error."""
    path.write_text(text)
    result = CliRunner().invoke(cli, ["filters", "lint", str(path), *arguments])
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(line["file"] == str(path) for line in lines)
    return result.exit_code, lines, result.stderr


GOOD = '{"eventName": ["INSERT"]}'
FAULTS = {
    '{"eventName": ["INSRT"]}': "never equal",
    '{"dynamodb": {"NewImage": {"price": {"N": [5]}}}}': "write it in quotes",
    '{"dynamodb": {"NewImage": {"price": {"N": [{"numeric": [">", 5]}]}}}}': "numeric never holds",
    '{"dynamodb": {"NewImage": {"state": ["open"]}}}': "name its type",
    '{"dynamodb": {"NewImage": {"state": {"s": ["open"]}}}}': "no type tag",
    '{"body": {"state": ["open"]}}': "no stream record has it",
    '{"eventName": [{"wildcard": "*"}]}': "is no operator",
    '{"eventName": "INSERT"}': "list",
    '{"eventName": []}': "empty list",
    "{": "not JSON",
    "[]": "a pattern is an object",
    "{}": "a pattern is an object",
    '{"eventID": ["%s"]}' % ("x" * 4096): "characters: Lambda takes 4,096",
}


@pytest.mark.parametrize(("pattern", "message"), FAULTS.items(), ids=FAULTS.values())
def test_what_is_wrong_with_a_pattern_is_found(tmp_path: Path, pattern: str, message: str) -> None:
    criteria = {"FilterCriteria": {"Filters": [{"Pattern": GOOD}, {"Pattern": pattern}]}}
    code, lines, _ = lint(tmp_path / "mapping.json", json.dumps(criteria))
    assert code == 1
    assert message in lines[0]["message"]
    assert {(line["where"], line["filter"]) for line in lines} == {("FilterCriteria", 2)}


@pytest.mark.parametrize(
    "document",
    [
        {"Filters": [{"Pattern": GOOD}]},
        [{"Pattern": GOOD}],
        {"EventSourceMappings": [{"FilterCriteria": {"Filters": [{"Pattern": GOOD}]}}]},
        {"FilterCriteria": {"Filters": [{"Pattern": {"Fn::Sub": "{}"}}]}},
        {"eventName": ["INSERT"]},
        {"FilterCriteria": {}},
    ],
)  # fmt: skip
def test_sound_filters_pass_in_each_form_of_json(tmp_path: Path, document: object) -> None:
    code, lines, _ = lint(tmp_path / "f.json", json.dumps(document))
    assert (code, lines) == (0, [])


def test_how_many_there_may_be_is_a_matter_of_the_quota(tmp_path: Path) -> None:
    for count, arguments, expected in [
        (5, (), 0),
        (6, (), 1),
        (6, ("--max", "10"), 0),
        (11, ("--max", "10"), 1),
    ]:
        text = json.dumps({"Filters": [{"Pattern": GOOD}] * count})
        code, lines, _ = lint(tmp_path / "f.json", text, *arguments)
        assert (code, len(lines)) == (expected, expected)


SAM = """
Resources:
  Changes:
    Type: AWS::Serverless::Function
    Properties:
      Events:
        Stream:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt Table.StreamArn
            FilterCriteria:
              Filters:
                - Pattern: '{"eventName": ["INSERT"]}'
                - Pattern: '{"dynamodb": {"NewImage": {"price": {"N": [5]}}}}'
                - Pattern: !Sub '{"eventName": ["${Name}"]}'
        Queue:
          Type: SQS
          Properties:
            FilterCriteria: {Filters: [{Pattern: '{"body": ["x"]}'}]}
"""
SERVERLESS = """
functions:
  changes:
    events:
      - stream:
          type: dynamodb
          filterPatterns:
            - eventName: [INSERT]
            - eventName: [INSRT]
      - stream: {type: kinesis, filterPatterns: [{data: {x: [1]}}]}
      - sqs: {arn: !GetAtt Q.Arn, filterPatterns: [{body: {x: [1]}}]}
"""
TERRAFORM = r"""
resource "aws_lambda_event_source_mapping" "stream" {
  filter_criteria { # a } in a comment
    filter {
      pattern = jsonencode({ dynamodb = { Keys = { PK = { S = [{ prefix = "P#" }] }, } } })
    }
    filter {
      pattern = "{\"eventName\": [\"INSRT\"]}"
    }
    filter {
      pattern = <<-EOT
        {"eventName": ["INSERT"]}
      EOT
    }
    filter {
      pattern = jsonencode(local.patterns)
    }
  }
}
"""


@pytest.mark.parametrize(
    ("name", "text", "where", "number"),
    [
        (
            "template.yaml",
            SAM,
            "Resources.Changes.Properties.Events.Stream.Properties.FilterCriteria",
            2,
        ),
        (
            "serverless.yml",
            SERVERLESS,
            "functions.changes.events.0.stream.filterPatterns",
            2,
        ),
        ("main.tf", TERRAFORM, "aws_lambda_event_source_mapping.stream", 2),
    ],
)
def test_the_files_of_each_tool_are_read_and_other_sources_left_out(
    tmp_path: Path, name: str, text: str, where: str, number: int
) -> None:
    pytest.importorskip("yaml")
    code, lines, said = lint(tmp_path / name, text)
    assert code == 1
    assert [(line["where"], line["filter"]) for line in lines] == [(where, number)]
    assert ("1 pattern not checked" in said) == (name != "serverless.yml")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("f.json", "{", "is not JSON"),
        ("f.json", "{}", "has no filters of a DynamoDB stream"),
        ("f.json", "[" * 100_000, "nested too deeply"),
        ("f.yaml", "a: [", "is not YAML"),
        ("f.yaml", "Resources: {}", "has no filters"),
        ("f.tf", "resource {", "has no filters"),
    ],
)
def test_a_file_without_filters_is_an_error(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    result = CliRunner().invoke(cli, ["filters", "lint", str(tmp_path / name)])
    assert result.exit_code == 1
    assert message in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("name", ["sales_totals/template.yaml", "search_index/main.tf"])
def test_the_filters_of_the_examples_are_sound(name: str) -> None:
    pytest.importorskip("yaml")
    result = CliRunner().invoke(cli, ["filters", "lint", str(EXAMPLES / name)])
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")


def test_a_set_of_another_shape_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    for criteria in ([], {"Filters": {}}, {"Filters": [1]}, {"Filters": [{"Pattern": {"a": 1}}]}):
        code, lines, _ = lint(tmp_path / "f.json", json.dumps({"x": {"FilterCriteria": criteria}}))
        assert (code, len(lines)) == (1, 1)
    assert lint(tmp_path / "f.json", '{"filterPatterns": {}}')[0] == 1


def test_in_a_terminal_of_80_columns_it_is_text(on_a_terminal: Any, tmp_path: Path) -> None:
    (tmp_path / "f.json").write_text(json.dumps({"Filters": [{"Pattern": '{"eventName": ["X"]}'}]}))
    seen = on_a_terminal("filters", "lint", "f.json", columns=80, code=1)
    assert "FilterCriteria, filter 1 at eventName[0]" in seen
    assert "1 filter, 1 problem" in seen
