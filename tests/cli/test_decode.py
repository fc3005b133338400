"""``ddbstream decode``: every document in, every record and item out, every fault named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream.testing import insert, lambda_event, modify, remove

pytest.importorskip("click")
from click.testing import CliRunner, Result

from ddbstream.cli._app import cli

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

WIRE = {
    "PK": {"S": "Product#00000000-0000-0000-0000-000000000007"},
    "SK": {"S": "User#Product"},
    "price": {"N": "1299.990"},
    "tags": {"SS": ["b", "a"]},
    "photo": {"B": "AP8="},
    "gone": {"NULL": True},
    "dims": {"M": {"S": {"L": [{"N": "1"}, {"BOOL": False}]}}},
}
PLAIN = {
    "PK": "Product#00000000-0000-0000-0000-000000000007",
    "SK": "User#Product",
    "price": "1299.990",
    "tags": ["a", "b"],
    "photo": "AP8=",
    "gone": None,
    "dims": {"S": ["1", False]},
}


def decode(text: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["decode", *arguments], input=text)


def lines(result: Result) -> list[Any]:
    return [json.loads(line, parse_float=str, parse_int=str) for line in result.stdout.splitlines()]


@pytest.mark.parametrize(
    "document",
    [WIRE, {"Item": WIRE}, {"Items": [WIRE], "Count": 1}, {"Item": WIRE, "ConsumedCapacity": {}}],
    ids=["a bare item", "get-item", "scan", "get-item with more"],
)
def test_an_item_becomes_plain_json_to_the_last_digit(document: Any) -> None:
    result = decode(json.dumps(document))
    assert result.exit_code == 0
    assert lines(result) == [PLAIN]


def test_an_event_becomes_a_line_for_each_change() -> None:
    result = decode(json.dumps(lambda_event([insert(WIRE), remove(WIRE)])))
    first, second = lines(result)
    assert (first["event"], first["new"]) == ("INSERT", PLAIN)
    assert (second["event"], second["old"]) == ("REMOVE", PLAIN)
    assert first["keys"] == {"PK": PLAIN["PK"], "SK": "User#Product"}
    assert "old" not in first
    assert "new" not in second


def test_a_modification_has_its_diff() -> None:
    cheaper = {**WIRE, "price": {"N": "999"}}
    (line,) = lines(decode(json.dumps(lambda_event([modify(WIRE, cheaper)]))))
    assert line["diff"] == [{"path": "price", "old": "1299.990", "new": "999"}]


@pytest.mark.parametrize(
    ("view_type", "images"),
    [("KEYS_ONLY", set()), ("NEW_IMAGE", {"new"}), ("OLD_IMAGE", {"old"})],
)
def test_images_that_the_stream_does_not_carry_are_left_out(
    view_type: Any, images: set[str]
) -> None:
    event = lambda_event([modify(WIRE, WIRE | {"a": {"S": "b"}}, view_type=view_type)])
    result = decode(json.dumps(event))
    assert result.exit_code == 0
    (line,) = lines(result)
    assert line.keys() & {"old", "new", "diff"} == images
    assert line["keys"]["PK"] == PLAIN["PK"]


def test_a_model_types_what_it_reads(tmp_path: Path, run: Run) -> None:
    (tmp_path / "shop.py").write_text(
        "from dataclasses import dataclass\n"
        "from decimal import Decimal\n"
        "from uuid import UUID\n"
        "from ddbstream import keys\n"
        '@keys(PK="Product#{id}", SK="User#Product")\n'
        "@dataclass\n"
        "class Product:\n"
        "    id: UUID\n"
        "    price: Decimal\n"
        "    tags: set[str]\n"
    )
    result = run("decode", "--model", "shop:Product", stdin=json.dumps(WIRE))
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout, parse_float=str) == {
        "id": "00000000-0000-0000-0000-000000000007",
        "price": "1299.990",
        "tags": ["a", "b"],
    }


def test_many_documents_one_a_line_or_over_many_lines_are_all_read() -> None:
    one_a_line = "\n".join(json.dumps({"Item": {"n": {"N": str(n)}}}) for n in range(3))
    pretty = " ".join(json.dumps({"Item": {"n": {"N": str(n)}}}, indent=2) for n in range(3))
    for text in (
        one_a_line,
        f"\n{one_a_line}\n\n",
        pretty,
        f"\n\n{pretty}\n",
        "\ufeff" + one_a_line,
    ):
        result = CliRunner().invoke(cli, ["decode"], input=text.encode())
        assert lines(result) == [{"n": "0"}, {"n": "1"}, {"n": "2"}]


def test_lines_are_decoded_as_they_come() -> None:
    # A broken tail must not hold up, or hide, what came before it.
    result = decode('{"Item": {"n": {"N": "1"}}}\n{"Item": ')
    assert lines(result) == [{"n": "1"}]
    assert result.exit_code == 1
    assert "not JSON" in result.stderr


def test_one_bad_record_is_named_and_the_others_are_shown() -> None:
    bad = insert(WIRE, event_id="e2")
    bad["dynamodb"]["NewImage"] = {**WIRE, "price": {"N": "secret"}}
    result = decode(json.dumps(lambda_event([insert(WIRE), bad, insert(WIRE)])))
    assert [line["event"] for line in lines(result)] == ["INSERT", "INSERT"]
    assert result.exit_code == 1
    assert "document 1" in result.stderr
    assert "price" in result.stderr
    assert "e2" in result.stderr
    assert "secret" not in result.stderr


def test_one_bad_item_is_named_and_the_others_are_shown() -> None:
    result = decode(
        json.dumps({"Items": [{"n": {"N": "1"}}, {"n": {"X": "1"}}, {"n": {"N": "2"}}]})
    )
    assert lines(result) == [{"n": "1"}, {"n": "2"}]
    assert result.exit_code == 1
    assert result.stderr.count("document 1: ") == 1


@pytest.mark.parametrize("text", ["17", '"x"', "null", '{"a": 1}'])
def test_what_holds_neither_records_nor_items_is_a_fault(text: str) -> None:
    result = decode(text)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("document 1: ")


def test_no_document_at_all_is_no_fault() -> None:
    assert decode("").exit_code == 0
    assert decode("\n \n").exit_code == 0


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("nowhere:Product", "there is no module 'nowhere' here"),
        ("json:Product", "module 'json' has no class 'Product'"),
        ("json", "'json' is not module:name"),
        (":x", "':x' is not module:name"),
    ],
)
def test_a_model_that_is_not_there_is_wrong_usage(spec: str, message: str) -> None:
    result = decode("", "--model", spec)
    assert result.exit_code == 2
    assert message in result.stderr


def test_an_error_inside_the_users_module_keeps_its_traceback(tmp_path: Path, run: Run) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    result = run("decode", "--model", "broken:X")
    assert "ModuleNotFoundError: No module named 'nothing_of_this_name'" in result.stderr
    assert "there is no module" not in result.stderr
