"""``ddbstream decode``: every document in, every record and item out, every fault named."""

from __future__ import annotations

import gzip
import io
import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest

from ddbstream.testing import insert, lambda_event, modify, remove

pytest.importorskip("click")
from click.testing import CliRunner, Result

from ddbstream.cli import _documents as documents_module
from ddbstream.cli._app import cli
from ddbstream.cli._documents import documents

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


# --- what is damaged, and what is only odd ------------------------------------------------------

GOOD = [json.dumps({"Item": {"n": {"N": str(number)}}}) for number in range(4)]


def numbers(result: Result) -> list[str]:
    return [line["n"] for line in lines(result)]


@pytest.mark.parametrize(
    "bad",
    [
        "{",
        '{"a": }',
        '{"a": 1}}',
        "nonsense",
        '{"a": "',
        '{"Item": {"n": {"N": "1"}',
        "[" * 100_000,
        '{"a": ' * 100_000,
        '{"a": "x\ty"}',
        "9" * 5_000,
        '{"Records": ' + "9" * 5_000 + "}",
        "-",
        "]",
    ],
    ids=lambda text: text[:20],
)
@pytest.mark.parametrize("place", [0, 2, 4])
@pytest.mark.parametrize("indent", [None, 2])
def test_a_bad_document_is_named_and_hides_none_of_the_others(
    bad: str, place: int, indent: int | None
) -> None:
    good = [json.dumps(json.loads(line), indent=indent) for line in GOOD]
    result = decode("\n".join([*good[:place], bad, *good[place:]]))
    assert result.exit_code == 1
    assert [one for one in numbers(result) if one in "0123"][-4:] == ["0", "1", "2", "3"]
    assert f"document {place + 1}: " in result.stderr
    assert result.exception is None or isinstance(result.exception, SystemExit)


@pytest.mark.parametrize("indent", [None, 1])
def test_bytes_that_are_no_utf_8_are_named_and_hide_nothing(indent: int | None) -> None:
    good = [json.dumps(json.loads(line), indent=indent).encode() for line in GOOD]
    bad = json.dumps({"Item": {"n": {"S": "BAD"}}}, indent=indent).encode().replace(b"B", b"\xff")
    result = CliRunner().invoke(cli, ["decode"], input=b"\n".join([*good[:2], bad, *good[2:]]))
    assert numbers(result) == ["0", "1", "2", "3"]
    assert result.exit_code == 1
    assert "document 3: it is not in UTF-8, line " in result.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_in_each_of_its_encodings_is_read(encoding: str) -> None:
    text = json.dumps({"Item": {"n": {"S": "é"}}}, ensure_ascii=False) + "\n"
    result = CliRunner().invoke(cli, ["decode"], input=(text * 2).encode(encoding))
    assert numbers(result) == ["é", "é"]


def test_gzip_is_unpacked() -> None:
    result = CliRunner().invoke(cli, ["decode"], input=gzip.compress("\n".join(GOOD).encode()))
    assert (result.exit_code, numbers(result)) == (0, ["0", "1", "2", "3"])


def test_damaged_gzip_is_named_after_what_can_be_read() -> None:
    packed = gzip.compress("\n".join(GOOD * 10_000).encode())
    for damaged in (packed[:-20], packed[:20], packed[:100] + b"\xff" * 20 + packed[120:]):
        result = CliRunner().invoke(cli, ["decode"], input=damaged)
        assert result.exit_code == 1
        assert "the rest cannot be read: " in result.stderr
        assert isinstance(result.exception, SystemExit)


def test_an_integer_of_any_length_is_read() -> None:
    event = lambda_event([insert({"n": {"N": "1"}})])
    text = json.dumps(event).replace('"SizeBytes": ', '"SizeBytes": ' + "9" * 5_000)
    result = decode(text)
    assert (result.exit_code, len(lines(result))) == (0, 1)


def reading(count: int) -> int:
    """How many characters are looked at in reading so many pretty-printed documents."""
    looked = 0

    text = "\n".join(json.dumps({"Item": {"n": {"N": "1"}}}, indent=2) for _ in range(count))
    text = json.dumps({"Item": {"x": {"S": "x" * 300_000}}}) + text
    decoder = documents_module.DECODER

    class Looking:
        def raw_decode(self, held: str, at: int) -> tuple[Any, int]:
            nonlocal looked
            try:
                found, end = decoder.raw_decode(held, at)
            except json.JSONDecodeError as error:
                looked += error.pos - at
                raise
            looked += end - at
            return found, end

    original, documents_module.DECODER = decoder, Looking()  # type: ignore[assignment,misc]
    try:
        assert sum(1 for _ in documents(io.BytesIO(text.encode()))) == count + 1
    finally:
        documents_module.DECODER = original  # type: ignore[misc]
    return looked - len(text)


def test_reading_takes_time_in_proportion_to_the_text() -> None:
    """0.1 took 10 s for 20,000 documents: it looked for the next one from the start."""
    assert reading(20_000) < 12 * reading(2_000) + 1_000_000


def test_a_broken_line_does_not_take_the_rest_of_a_large_file_into_memory() -> None:
    text = b'{"a": }\n' + b"x" * 20_000_000 + b'\n{"b": 1}'
    file = io.BytesIO(text)
    tracemalloc.start()
    found = list(documents(file))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [document.value for document in found] == [None, {"b": 1}]
    assert peak < 2_000_000
