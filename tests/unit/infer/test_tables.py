"""Six tables as people have them: what is written for each reads all of it, and is good source."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ddbstream._infer.grouping import Grouping
from ddbstream._infer.inference import Inference
from ddbstream._infer.source import STYLES
from tests.unit.infer.tables import TABLES

LIBRARIES = {"pydantic": "pydantic", "attrs": "attr", "msgspec": "msgspec"}


def inferred(table: str, style: str = "dataclass") -> Inference:
    ttl = "expires_at" if table == "sessions" else None
    inference = Inference(Grouping(), name=table.title(), style=style, ttl=ttl)
    for item in TABLES[table]():
        inference.add(item)
    return inference


def module(table: str, style: str = "dataclass") -> str:
    return inferred(table, style).module(f"Models of {table}.", router=True)


def fields(text: str, name: str) -> Mapping[str, str]:
    """The annotations and defaults of a class, without the comments."""
    body = text.partition(f"class {name}:")[2].partition("\n\n\n")[0]
    pairs = (line.partition("  # ")[0].strip().partition(": ") for line in body.splitlines()[3:])
    return {field: rest for field, _, rest in pairs if rest}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("table", TABLES)
def test_the_classes_read_every_item_that_they_were_made_from(table: str, style: str) -> None:
    pytest.importorskip(LIBRARIES.get(style, "dataclasses"))
    inference = inferred(table, style)
    reader = inference.reader(inference.module("Models."))
    for item in TABLES[table]():
        assert reader.read(item) is not None
    reader.close()


@pytest.mark.slow
def test_the_modules_pass_strict_type_checking(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    files = []
    for table in TABLES:
        for style in STYLES:
            pytest.importorskip(LIBRARIES.get(style, "dataclasses"))
            inference = inferred(table, style)
            name = f"{table}_{style}"
            (tmp_path / f"{name}.py").write_text(inference.module("Models.", router=True))
            (tmp_path / f"test_{name}.py").write_text(inference.test(name))
            files += [f"{name}.py", f"test_{name}.py"]
    checked = python("-m", "mypy", "--strict", "--python-version", "3.10", *files, folder=tmp_path)
    assert checked.stdout.startswith("Success"), checked.stdout


def test_the_modules_are_formatted_and_their_imports_sorted(tmp_path: Path) -> None:
    if importlib.util.find_spec("ruff") is None:
        pytest.skip("ruff is not installed")
    for table in TABLES:
        for style in STYLES:
            name = f"{table}_{style}"
            inference = inferred(table, style)
            (tmp_path / f"{name}.py").write_text(inference.module("Models.", router=True))
            (tmp_path / f"test_{name}.py").write_text(inference.test(name))
    ruff = ("-m", "ruff")
    formatted = python(*ruff, "format", "--isolated", "--diff", ".", folder=tmp_path)
    assert formatted.stdout == ""
    rules = ("--select", "F,E4,E7,E9,I", "--target-version", "py310")
    checked = python(*ruff, "check", "--isolated", *rules, ".", folder=tmp_path)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("table", TABLES)
def test_the_first_test_of_the_router_passes(table: str, tmp_path: Path) -> None:
    inference = inferred(table)
    (tmp_path / f"{table}.py").write_text(inference.module("Models.", router=True))
    (tmp_path / f"test_{table}.py").write_text(inference.test(table))
    done = python("-m", "pytest", "-q", "-p", "no:cacheprovider", ".", folder=tmp_path)
    assert done.returncode == 0, done.stdout


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def test_entities_of_a_single_table_are_told_by_the_words_in_both_keys() -> None:
    inference = inferred("single_table")
    text = inference.module("Models.", router=True)
    assert [one.name for one in inference.entities] == [
        "Customer",
        "Line",
        "Order",
        "Product",
        "Review",
    ]
    assert '@keys(PK="Customer#{id}", SK="PROFILE")' in text
    assert '@keys(PK="Customer#{customer}", SK="Order#{order:06d}#Line#{number}")' in text
    assert '    GSI1SK="Customer#{customer}",' in text, "what is equal in two keys is one field"
    assert "router = StreamRouter(classify=by_keys(Order, Line, Customer, Product, Review))" in text


def test_the_narrowest_annotation_that_holds_every_sample_is_chosen() -> None:
    text = module("single_table")
    assert fields(text, "Customer") == {
        "id": "UUID",
        "created_at": "datetime",
        "email": "str",
        "plan": 'Literal["free", "pro", "team"]',
    }
    assert fields(text, "Product") == {"number": "int", "price": "Decimal", "title": "str"}
    assert fields(text, "Review") == {
        "product": "int",
        "timestamp": "datetime",
        "stars": "int",
        "text": "str | None = None",
    }


def test_names_in_maps_that_are_data_make_dictionaries_and_moments_in_numbers_datetimes() -> None:
    assert fields(module("iot"), "Iot") == {
        "battery": "int",
        "by_day": "dict[date, int]",
        "device_id": "str",
        "firmware": "str",
        "online": "bool",
        "position": "list[Decimal]",
        "readings": "IotReadings",
        "ts": 'Annotated[datetime, Epoch("ms")]',
    }


def test_a_time_to_live_is_an_epoch_and_an_absent_set_is_empty() -> None:
    text = module("sessions")
    assert fields(text, "Sessions") == {
        "expires_at": 'Annotated[datetime, Epoch("s")]',
        "ip": "str",
        "last_seen": "datetime",
        "session_id": "UUID",
        "user": "str | None",
        "scopes": 'set[Literal["admin", "read", "write"]] = field(default_factory=set)',
    }
    assert "# 150 of 150, NULL in 38" in text


def test_maps_become_classes_of_their_own() -> None:
    text = module("shop")
    assert fields(text, "Shop")["lines"] == "list[ShopLine]"
    assert fields(text, "ShopLine")["options"] == "list[ShopLineOption]"
    assert fields(text, "ShopBillingAddress")["vat_id"] == "str | None = None"


def test_what_was_written_in_several_types_is_read_in_all_of_them() -> None:
    assert fields(module("legacy"), "Legacy") == {
        "active": 'Annotated[bool | str, Attribute("Active")]',
        "created": 'Annotated[datetime, Attribute("Created")]',
        "id": 'Annotated[int | str, Attribute("ID")]',
        "address": "str | LegacyAddress",
        "amount": "Decimal | str",
        "class_": "str",
        "date_": "date",
        "note": "Any",
        "tags": "list[str] | set[str]",
        "weird_name_1": 'Annotated[str, Attribute("weird name-1")]',
        "weird_name_1_2": 'Annotated[str, Attribute("weird.name.1")]',
    }


def test_a_type_attribute_tells_entities_apart_and_is_a_literal_of_its_class() -> None:
    text = module("blobs")
    document = fields(text, "Document")
    assert document["type"] == 'Annotated[Literal["document"], Attribute("_type")] = "document"'
    assert document["blob"] == "int"
    assert document["owners"] == "set[UUID]"
    assert document["checksums"] == "set[bytes]"
    assert (document["sizes"], document["ratios"]) == ("set[int]", "set[Decimal]")
    assert 'router = StreamRouter(classify=by_attribute("_type"))' in text
    assert 'router.bind("document", Document)' in text


def test_there_is_no_literal_where_none_is_wanted() -> None:
    inference = Inference(Grouping(), choices=False)
    for item in TABLES["shop"]():
        inference.add(item)
    assert "Literal" not in inference.module("Models.")


def test_the_module_is_the_same_each_time_and_in_any_order() -> None:
    items: list[Any] = [*TABLES["single_table"]()]
    first, second = Inference(Grouping()), Inference(Grouping())
    for item in items:
        first.add(item)
    for item in reversed(items):
        second.add(item)
    assert first.module("Models.", router=True) == second.module("Models.", router=True)
