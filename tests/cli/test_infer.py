"""``ddbstream infer``: from a file, a pipe, a table, a stream or an export to code."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
from click.testing import CliRunner, Result
from moto import mock_aws

from ddbstream.cli._app import cli
from ddbstream.cli._documents import documents
from ddbstream.testing import insert, lambda_event, modify
from tests.unit.export.exports import lines_of, write_export
from tests.unit.infer.tables import sessions, single_table

Run = Callable[..., subprocess.CompletedProcess[str]]

ITEM = {"PK": {"S": "Book#1"}, "pages": {"N": "7"}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    return tmp_path


def infer(*arguments: str, stdin: str | bytes = "") -> Result:
    return CliRunner().invoke(cli, ["infer", *arguments], input=stdin, catch_exceptions=False)


def body(result: Result) -> str:
    """The module without its docstring, which says where it is from."""
    assert result.exit_code == 0, result.stderr
    return result.stdout.partition('"""\n\n')[2]


def ndjson(items: Iterator[Any]) -> str:
    return "".join(json.dumps(item) + "\n" for item in items)


def test_every_form_of_the_same_items_gives_the_same_classes(folder: Path) -> None:
    items = [*single_table(100)]
    (folder / "lines.ndjson").write_text(ndjson(iter(items)))
    (folder / "scan.json").write_text(json.dumps({"Items": items, "Count": 100}, indent=4))
    (folder / "one-line.json").write_text(json.dumps({"Items": items, "Count": 100}))
    (folder / "export.json.gz").write_bytes(
        gzip.compress("".join(json.dumps({"Item": item}) + "\n" for item in items).encode())
    )
    (folder / "events.json").write_text(json.dumps(lambda_event([insert(item) for item in items])))
    expected = body(infer("lines.ndjson"))
    assert "class Order:" in expected
    for name in ("scan.json", "one-line.json", "export.json.gz", "events.json"):
        assert body(infer(name)) == expected
    assert body(infer("-", stdin=(folder / "scan.json").read_bytes())) == expected
    assert body(infer(stdin=(folder / "scan.json").read_bytes())) == expected


def test_items_of_a_long_document_are_read_whatever_their_length_and_what_surrounds_them() -> None:
    items = [{"PK": {"S": f"Book#{n}"}, "text": {"S": "x" * (n * 997 % 70_000)}} for n in range(60)]
    text = json.dumps({"Items": items, "Count": 60, "Note": "]"}, indent=1)
    result = infer("-", stdin="\ufeff" + text + "\n" + text)
    assert "120 items: Book 120" in result.stderr


def test_a_changed_item_counts_as_it_was_and_as_it_is() -> None:
    new = {**ITEM, "pages": {"S": "seven"}}
    result = infer("-", stdin=json.dumps(lambda_event([modify(ITEM, new)])))
    assert "pages: int | str  # 2 of 2" in result.stdout


def test_what_is_no_item_is_named_and_the_rest_is_read() -> None:
    broken = {"pages": {"N": "secret"}}
    result = infer("-", stdin=ndjson(iter([ITEM, broken, {"no": "item"}, ITEM])))
    assert result.exit_code == 1
    assert "pages: int  # 2 of 2" in result.stdout
    assert "document 2: " in result.stderr
    assert "document 3: " in result.stderr
    assert "secret" not in result.output


def test_what_is_not_json_is_said_with_its_place() -> None:
    result = infer("-", stdin=ndjson(iter([ITEM])) + '{"Items": [{"a": {"S": "secret"}}, {]}')
    assert result.exit_code == 1
    assert "not JSON" in result.stderr
    assert "secret" not in result.output


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_document_may_be_cut_anywhere_by_what_is_read_at_once(
    cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = {
        "Items": [{"a": {"S": 'x"]}\\\n\u00e9'}}, {"b": {"N": "-1"}}],
        "Count": 2,
        "x": -12.5,
    }
    text = json.dumps(document, indent=0)
    monkeypatch.setattr("ddbstream.cli._documents._CHUNK", cut)
    found = [document.value for document in documents(io.BytesIO((text + text).encode()))]
    assert found == [{"Item": item} for item in document["Items"]] * 2


def test_a_stream_of_keys_alone_has_no_items() -> None:
    result = infer("-", stdin=json.dumps(lambda_event([insert(ITEM, view_type="KEYS_ONLY")])))
    assert result.exit_code == 1
    assert "the stream's view type is KEYS_ONLY" in result.stderr or "no items" in result.stderr


@pytest.mark.parametrize("text", ["", "\n", '{"Items": [], "Count": 0}'])
def test_a_source_without_items_is_an_error(text: str) -> None:
    result = infer("-", stdin=text)
    assert result.exit_code == 1
    assert "holds no items" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("style", ["pydantic", "attrs", "msgspec"])
def test_classes_of_the_other_libraries_are_written_when_asked_for(style: str) -> None:
    pytest.importorskip("attr" if style == "attrs" else style)
    result = infer("-", "--style", style, stdin=ndjson(sessions(30)))
    assert f"import {style}" in result.stdout or f"from {style} import" in result.stdout
    assert "class Item" in result.stdout
    assert result.exit_code == 0


def test_the_router_and_its_test_are_written_beside_the_classes_and_run(
    folder: Path, run: Run
) -> None:
    (folder / "items.ndjson").write_text(ndjson(single_table(50)))
    result = infer("items.ndjson", "--router", "--output", "shop.py")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "50 items: Customer 10, Line 10, Order 10, Product 10, Review 10\n"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_shop.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    again = infer("items.ndjson", "--router", "--output", "shop.py")
    assert again.exit_code == 2, "it writes over nothing that somebody may have changed"
    assert "--force" in again.stderr
    assert infer("items.ndjson", "--router", "--output", "shop.py", "--force").exit_code == 0


@pytest.mark.parametrize("name", ["my-shop.py", "class.py", "None.py"])
def test_a_test_needs_a_module_that_it_can_import(folder: Path, name: str) -> None:
    result = infer("-", "--router", "--output", name, stdin=ndjson(iter([ITEM])))
    assert result.exit_code == 2
    assert not (folder / name).exists()


def test_the_class_can_be_named_and_literals_left_out() -> None:
    result = infer("-", "--name", "user session", "--no-literals", stdin=ndjson(sessions(60)))
    assert "class UserSession:" in result.stdout
    assert "Literal" not in result.stdout


def test_a_classifier_of_the_users_tells_entities_apart(folder: Path) -> None:
    (folder / "my_classifier.py").write_text(
        "def classify(record):\n"
        "    return {'B': 'book', 'C': 'compact disc'}.get(record.new['id'][0])\n"
    )
    items = [{"id": {"S": f"{letter}{n}"}} for letter in "BCX" for n in range(3)]
    result = infer(
        "-", "--classify", "my_classifier:classify", "--router", stdin=ndjson(iter(items))
    )
    assert "from my_classifier import classify" in result.stdout
    assert "router = StreamRouter(classify=classify)" in result.stdout
    assert 'router.bind("compact disc", CompactDisc)' in result.stdout
    assert result.stderr == "9 items: Book 3, CompactDisc 3\n"
    sys.modules.pop("my_classifier", None)


def test_an_export_is_a_source(folder: Path) -> None:
    location = str(write_export(folder, [lines_of(20), lines_of(20, 20)]))
    assert "40 items: Book 40" in infer(location).stderr
    assert "10 items: Book 10" in infer(location, "--sample", "10").stderr


def test_a_folder_that_is_no_export_and_a_file_that_is_not_packed_are_said(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "x.gz").write_text("no gzip")
    assert infer("data").exit_code == 2
    broken = infer("x.gz")
    assert (broken.exit_code, broken.stdout) == (1, "")
    assert "x.gz holds no items that can be read: document 1: not JSON" in broken.stderr


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="Sessions",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "session_id", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "session_id", "KeyType": "HASH"}],
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        client.update_time_to_live(
            TableName="Sessions",
            TimeToLiveSpecification={"Enabled": True, "AttributeName": "gone"},
        )
        for number in range(40):
            item = {
                "session_id": {"S": f"s{number}"},
                "gone": {"N": str(number)},
                "photo": {"B": b"\x00\xff"},
            }
            client.put_item(TableName="Sessions", Item=item)
        yield client


def test_a_table_is_a_source_and_says_its_keys_and_its_time_to_live(table: Any) -> None:
    result = infer("Sessions")
    assert result.exit_code == 0
    assert "class Session:" in result.stdout
    assert 'gone: Annotated[datetime, Epoch("s")]  # 40 of 40' in result.stdout
    assert "photo: bytes" in result.stdout


def test_a_sample_of_a_table_is_as_large_as_asked_for(table: Any) -> None:
    assert "7 items: Session 7" in infer("Sessions", "--sample", "7").stderr


def test_the_stream_of_a_table_is_a_source(table: Any) -> None:
    result = infer("Sessions", "--stream")
    assert result.stderr == "40 items: Session 40\n"
    arn = table.describe_table(TableName="Sessions")["Table"]["LatestStreamArn"]
    assert infer(arn, "--sample", "5").stderr == "5 items: Session 5\n"


def test_a_table_that_is_not_there_is_one_line(table: Any) -> None:
    result = infer("Nothing")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ResourceNotFoundException" in result.stderr


def test_without_the_library_the_classes_are_written_and_not_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "attrs", None)
    result = infer("-", "--style", "attrs", stdin=ndjson(iter([ITEM])))
    assert "@attrs.define" in result.stdout
    assert "not proven" in result.stderr
    assert result.exit_code == 0


@pytest.mark.slow
def test_forty_thousand_items_take_no_more_memory_than_a_thousand(folder: Path, run: Run) -> None:
    with (folder / "large.ndjson").open("w") as file:
        for number in range(8):
            for item in single_table(5000):
                item["part"] = {"N": str(number)}
                file.write(json.dumps(item) + "\n")
    with (folder / "large.json").open("w") as file:
        file.write('{\n    "Items": [\n')
        for number, item in enumerate(single_table(8_000)):
            file.write(("," if number else "") + json.dumps(item, indent=4))
        file.write('\n    ],\n    "Count": 8000\n}')
    (folder / "small.ndjson").write_text(ndjson(single_table(1000)))
    (folder / "measure.py").write_text(
        "import resource, sys\n"
        "from ddbstream.cli._app import cli\n"
        "cli(sys.argv[1:], standalone_mode=False)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)\n"
    )

    def megabytes(name: str) -> float:
        done = subprocess.run(
            [sys.executable, "measure.py", "infer", name],
            capture_output=True,
            text=True,
            check=True,
        )
        return int(done.stderr.split()[-1]) / (1024 * (1024 if sys.platform == "darwin" else 1))

    small = megabytes("small.ndjson")
    assert megabytes("large.ndjson") < small + 10
    assert megabytes("large.json") < small + 10
