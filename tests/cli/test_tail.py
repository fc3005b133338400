"""``ddbstream tail`` shows what changed first, as the classes it knows, and only what is wanted."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3
import click
from click.testing import CliRunner

from ddbstream import keys, parse
from ddbstream._values.paths import parse_path
from ddbstream.cli._app import cli
from ddbstream.cli._local_dynamodb import dynamodb, serving_dynamodb
from ddbstream.cli._tail_view import Condition, Kinds, View, without
from ddbstream.exceptions import ModelDefinitionError
from ddbstream.models import model
from ddbstream.testing import insert, modify, remove
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

posix = pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX")

APP = """
from dataclasses import dataclass
from ddbstream import Change, LambdaHandler, StreamRouter, by_key_prefix, keys

@keys(PK="Product#{id}", SK="-")
@dataclass
class Product:
    id: str
    price: int

@keys(PK="Order#{id}", SK="-")
@dataclass
class Order:
    id: str
    total: int

router = StreamRouter(classify=by_key_prefix("PK"))

@router.on_change("Product")
def product(record: Change[Product]) -> None: ...

@router.on_change("Order")
def order(record: Change[Order]) -> None: ...

handler = LambdaHandler(router)

def cheap(record):
    return record.keys["PK"] == "Product#1"
"""


def product(number: int, **more: Any) -> dict[str, Any]:
    return {"PK": f"Product#{number}", "SK": "-", "price": number, **more}


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    (tmp_path / "tailed.py").write_text(APP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *sys.path])
    __import__("tailed")
    yield sys.modules["tailed"]
    del sys.modules["tailed"]


def record(raw: Any) -> Any:
    (made,) = parse([raw])
    return made


def seen_by(kinds: Kinds, change: Any) -> Any:
    return kinds.see(change, kinds.kind_of(change))


def test_a_router_its_handler_and_classes_with_keys_all_type_items(app: Any) -> None:
    of_app = record(insert(product(7)))
    for kinds in (
        Kinds(app.router, (), None),
        Kinds(app.handler, (), None),
        Kinds(None, (app.Order, app.Product), None),
    ):
        seen = seen_by(kinds, of_app)
        assert (seen.entity, seen.record.new, seen.note) == ("Product", app.Product("7", 7), None)


def test_what_fits_no_class_is_seen_as_it_is_stored_with_a_note(app: Any) -> None:
    kinds = Kinds(app.router, (), None)
    misfit = seen_by(kinds, record(insert({**product(7), "price": "secret"})))
    assert misfit.record.new["price"] == "secret"
    assert "NewImage.price" in misfit.note
    assert "secret" not in misfit.note
    stranger = seen_by(kinds, record(insert({"PK": "Customer#1", "SK": "-"})))
    assert (stranger.entity, stranger.note) == ("Customer", "no class is known of Customer")
    kinds = Kinds(None, (app.Order, app.Product), None)
    nobody = seen_by(kinds, record(insert({"PK": "?", "SK": "-"})))
    assert nobody.note == "no class fits its keys"
    assert seen_by(Kinds(None, (), lambda _: "X"), record(insert(product(1)))).note is None


def test_several_classes_that_cannot_be_told_apart_are_wrong_usage(app: Any) -> None:
    with pytest.raises(click.UsageError, match="need @keys, or --key"):
        Kinds(None, (app.Product, int), None)
    with pytest.raises(click.UsageError, match="no StreamRouter"):
        Kinds(7, (), None)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("price=7", True),
        ("price = 7.0", True),
        ("price!=7", False),
        ("price>6.5", True),
        ("price<=7", True),
        ("price<7", False),
        ("price=cheap", False),
        ("price!=cheap", True),
        ("PK=Product#7", True),
        ("PK>=Product#1", True),
        ("tags=new", True),
        ("tags!=new", False),
        ("tags=old", False),
        ("dims.w=2", True),
        ("lines[0].n=1", True),
        ("dims.w.x=2", False),
        ("gone=1", False),
        ("gone!=1", True),
        ("sold=TRUE", True),
        ("event=INSERT", True),
        ("event!=INSERT", False),
        ("tailed:cheap", False),
    ],
)
def test_a_condition_is_asked_of_the_stored_item(app: Any, condition: str, expected: bool) -> None:
    item = product(7, tags={"new"}, dims={"w": 2}, lines=[{"n": 1}], sold=True)
    view = View(Kinds(None, (), None), [Condition().convert(condition, None, None)])
    assert (view.see(record(insert(item))) is not None) is expected
    if not condition.startswith("event"):
        assert (view.see(record(remove(item))) is not None) is expected


@pytest.mark.parametrize("condition", ["a[=1", "price", "tailed:nothing"])
def test_a_condition_that_means_nothing_is_wrong_usage(app: Any, condition: str) -> None:
    with pytest.raises(click.BadParameter):
        Condition().convert(condition, None, None)


def test_only_what_changed_at_a_path_is_wanted(app: Any) -> None:
    view = View(Kinds(None, (), None), changed=[("price",)])
    assert view.see(record(modify(product(1), product(1, price=2)))) is not None
    assert view.see(record(modify(product(1), product(1, name="x")))) is None
    no_images = record(modify(product(1), product(1, price=2), view_type="KEYS_ONLY"))
    assert view.see(no_images) is None


def test_what_is_hidden_is_hidden_at_every_depth_and_in_every_member() -> None:
    value = {"a": {"b": 1, "c": 2}, "lines": [{"n": 1, "m": 2}, {"n": 3}], "x": 5}
    hidden = [("a", "b"), ("lines", "n"), ("lines", 1, "q"), ("x",)]
    assert without({"new": value, "event": "INSERT"}, hidden) == {
        "new": {
            "a": {"b": "***", "c": 2},
            "lines": [{"n": "***", "m": 2}, {"n": "***"}],
            "x": "***",
        },
        "event": "INSERT",
    }


@pytest.fixture
def endpoint() -> Iterator[list[str]]:
    """Two tables with changes, on moto: what to call the command with."""
    with dynamodb(None):
        client: Any = boto3.client("dynamodb")
        for table in ("Catalogue", "Orders"):
            make_table(client, table, ["PK", "SK"])
        price = {"price": {"N": "1"}, "card": {"M": {"no": {"S": "4111"}}}}
        item: dict[str, Any] = {"PK": {"S": "Product#1"}, "SK": {"S": "-"}, **price}
        client.put_item(TableName="Catalogue", Item=item)
        item = {**item, "price": {"N": "2"}, "card": {"M": {"no": {"S": "4222"}}}}
        client.put_item(TableName="Catalogue", Item=item)
        client.put_item(
            TableName="Orders",
            Item={"PK": {"S": "Order#2"}, "SK": {"S": "-"}, "total": {"S": "misfit"}},
        )
        with serving_dynamodb(0) as url:
            yield ["--endpoint-url", url, "--region", "us-east-1", "--once"]


def test_in_a_pipe_it_is_ndjson_of_several_tables_without_what_is_redacted(
    app: Any, endpoint: list[str]
) -> None:
    result = CliRunner().invoke(
        cli,
        [
            *("tail", "Catalogue", "Orders", "--app", "tailed:router", "--redact", "card.no"),
            *("--since", "1h", *endpoint[2:]),
        ],
    )
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    by_table = [[one for one in lines if one["table"] == t] for t in ("Catalogue", "Orders")]
    (added, repriced), (misfit,) = by_table
    assert (added["event"], added["entity"]) == ("INSERT", "Product")
    assert repriced["new"]["card"] == {"no": "***"}
    assert repriced["diff"] == [
        {"path": "card.no", "old": "***", "new": "***"},
        {"path": "price", "old": 1, "new": 2},
    ]
    assert misfit["new"]["total"] == "misfit"
    assert "NewImage.total" in misfit["note"]
    assert "4111" not in result.output
    assert "4222" not in result.output
    assert "NewImage.total" in result.stderr


@posix
def test_on_a_terminal_the_diff_comes_first_and_images_when_they_are_asked_for(
    app: Any, endpoint: list[str], on_a_terminal: Callable[..., str]
) -> None:
    environment = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false", "TZ": "UTC"}
    seen = on_a_terminal(
        *("tail", "Catalogue", "--key", "PK", "--where", "event=MODIFY", "--images", *endpoint),
        columns=80,
        env=environment,
    )
    plain = re.sub(r"\x1b\[[0-9;]*m", "", seen).replace("\r", "")
    first, heading, *body = plain.splitlines()
    assert first.startswith(f"following Catalogue at {endpoint[1]} from its oldest record")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC MODIFY Product  PK=Product#1  SK=-", heading
    )
    assert body[:2] == ['  ~ card.no  "4111" → "4222"', "  ~ price  1 → 2"]
    assert [line[:6] for line in body[2:4]] == ["  old ", "  new "]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["T", "--since", "yesterday"], "is no duration"),
        (["T", "--since", "1h", "--start", "LATEST"], "give one"),
        (["T", "--redact", "a["], "a["),
        ([], "Missing argument"),
    ],
)
def test_wrong_usage(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, ["tail", *arguments])
    assert result.exit_code == 2
    assert message in result.stderr


@keys(PK="Box#{number}")
@model(rename="camelCase")
@dataclass
class Box:
    number: int
    the_first: dict[str, Box.Part]
    all_parts: list[Box.Part]

    @model(rename="camelCase")
    @dataclass
    class Part:
        unit_price: int


def box(price: int) -> dict[str, Any]:
    part = {"unitPrice": price}
    return {"PK": "Box#7", "theFirst": {"m": part}, "allParts": [part, part]}


@pytest.mark.parametrize("spelling", ["the_first.m.unit_price", "theFirst.m.unitPrice"])
def test_paths_are_in_the_names_of_the_class_or_of_the_attributes(spelling: str) -> None:
    change = record(modify(box(1), box(2)))
    kinds = Kinds(None, (Box,), None)
    path = parse_path(spelling)
    assert View(kinds, changed=[path]).see(change) is not None
    for condition, expected in ((f"{spelling}=2", True), (f"{spelling}=1", False)):
        view = View(kinds, [Condition().convert(condition, None, None)])
        assert (view.see(change) is not None) is expected
    seen = View(kinds, hidden=[path]).see(change)
    assert seen is not None
    assert seen.hidden == [("theFirst", "m", "unitPrice")]


@pytest.mark.parametrize(
    ("spelling", "hidden"),
    [
        ("all_parts.unit_price", [("allParts", "unitPrice")]),
        ("all_parts[1].unit_price", [("allParts", 1, "unitPrice")]),
        ("number", [("PK",)]),
        ("no_field.of_it", [("no_field", "of_it")]),
    ],
)
def test_what_is_hidden_is_named_as_the_class_names_it(spelling: str, hidden: list[Any]) -> None:
    view = View(Kinds(None, (Box,), None), hidden=[parse_path(spelling)])
    seen = view.see(record(modify(box(1), box(2))))
    assert seen is not None
    assert seen.hidden == hidden


@keys(PK="{number}")
@model(rename="camelCase")
@dataclass
class Grid:
    number: str
    all_rows: list[list[Box.Part]]
    deepest: list[list[list[Box.Part]]]


@pytest.mark.parametrize(
    ("spelling", "hidden"),
    [
        ("all_rows.unit_price", [("allRows", "unitPrice")]),
        ("all_rows[1].unit_price", [("allRows", 1, "unitPrice")]),
        ("deepest.unit_price", [("deepest", "unitPrice")]),
        ("deepest.no_field", [("deepest", "no_field")]),
    ],
)
def test_a_name_at_a_list_of_lists_is_one_of_every_member(spelling: str, hidden: list[Any]) -> None:
    view = View(Kinds(None, (Grid,), None), hidden=[parse_path(spelling)])
    seen = view.see(record(insert({"PK": "1", "SK": "-", "allRows": [], "deepest": []})))
    assert seen is not None
    assert seen.hidden == hidden


@dataclass
class Unusable:
    lock: threading.Lock


def test_a_class_that_cannot_be_used_is_a_note_where_no_path_needs_it() -> None:
    kinds, change = Kinds(None, (Unusable,), None), record(insert(product(1)))
    seen = View(kinds).see(change)
    assert seen is not None
    assert seen.note
    with pytest.raises(ModelDefinitionError):  # nothing tells what is to be hidden
        View(kinds, hidden=[("lock",)]).see(change)


RENAMED = """
from dataclasses import dataclass
from ddbstream.models import model

@model(rename="camelCase")
@dataclass
class Card:
    card_number: str

@model(rename="camelCase")
@dataclass
class Customer:
    PK: str
    main_card: Card
"""


@pytest.mark.parametrize("form", [["--json"], []])
def test_a_renamed_field_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: list[str]
) -> None:
    (tmp_path / "renamed_card.py").write_text(RENAMED)
    monkeypatch.syspath_prepend(tmp_path)
    options = ["--model", "renamed_card:Customer", "--redact", "main_card.card_number"]
    with dynamodb(None):
        client: Any = boto3.client("dynamodb")
        make_table(client, "Customers", ["PK"])
        for number in ("4111", "4222"):
            card = {"M": {"cardNumber": {"S": number}}}
            client.put_item(TableName="Customers", Item={"PK": {"S": "Ann"}, "mainCard": card})
        with serving_dynamodb(0) as url:
            place = ["--endpoint-url", url, "--region", "us-east-1", "--since", "1h", "--once"]
            result = CliRunner().invoke(cli, ["tail", "Customers", *options, *place, *form])
    assert result.exit_code == 0, result.output
    assert "mainCard" in result.stdout
    assert "Traceback" not in result.stderr  # of moto, for an iterator by time
    assert "4111" not in result.output
    assert "4222" not in result.output
