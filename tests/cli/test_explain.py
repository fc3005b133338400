"""``ddbstream explain``: which routes take a record, and why the others do not."""

from __future__ import annotations

import json

import pytest

from ddbstream.testing import insert, lambda_event, modify
from tests.cli.conftest import lines

pytest.importorskip("click")

APP = """
from ddbstream import StreamRouter, by_key_prefix
router = StreamRouter(classify=by_key_prefix("PK"))
@router.on_insert("Product")
def added(record): raise AssertionError("no handler runs")
@router.on_modify("Product", changed="price")
def repriced(record): raise AssertionError("no handler runs")
@router.on_modify("Order")
def shipped(record): raise AssertionError("no handler runs")
"""


@pytest.fixture
def app(tmp_path):
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


EVENT = lambda_event(
    [
        insert({"PK": "Product#1", "price": 1}),
        modify({"PK": "Product#1", "price": 1}, {"PK": "Product#1", "price": 1, "name": "x"}),
    ]
)


def test_it_gives_for_each_record_its_entity_the_routes_that_take_it_and_why_others_do_not(
    run, app
):
    done = run("explain", "app:router", stdin=json.dumps(EVENT))
    assert (done.returncode, done.stderr) == (0, "")
    first, second = lines(done.stdout)
    assert (first["event"], first["entity"]) == ("INSERT", "Product")
    assert [route["route"].rpartition(".")[2] for route in first["chosen"]] == ["added"]
    assert second["chosen"] == []
    reasons = {one["route"].rpartition(".")[2]: one["reason"] for one in second["rejected"]}
    assert "INSERT" in reasons["added"]
    assert "name" in reasons["repriced"]  # which is what did change
    assert "Product" in reasons["shipped"]


def test_on_a_terminal_it_is_text(on_a_terminal, app):
    (app / "event.json").write_text(json.dumps(EVENT))
    seen = on_a_terminal("explain", "app:router", "event.json")
    assert "INSERT of Product" in seen
    assert "no route wants it" in seen


def test_what_holds_no_records_is_named_and_the_rest_explained(run, app):
    done = run("explain", "app:router", stdin='{"x": 1}\n' + json.dumps(EVENT))
    assert done.returncode == 1
    assert "document 1" in done.stderr
    assert len(lines(done.stdout)) == 2


def test_a_malformed_record_is_explained_in_its_place_and_the_rest_too(run, on_a_terminal, app):
    broken = [{"eventName": "INSERT", "eventID": "e1"}, {"eventName": "X", "dynamodb": 5}]
    event = {"Records": [EVENT["Records"][0], *broken, EVENT["Records"][1]]}
    done = run("explain", "app:router", stdin=json.dumps(event))
    assert (done.returncode, done.stderr) == (0, "")
    found = lines(done.stdout)
    assert [one["problem"] is None for one in found] == [True, False, False, True]
    assert "the record is malformed" in found[1]["problem"]
    assert (found[1]["chosen"], len(found[1]["rejected"])) == ([], 3)
    (app / "event.json").write_text(json.dumps(event))
    seen = on_a_terminal("explain", "app:router", "event.json", columns=80)
    assert seen.count("a malformed record") == 2


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("nowhere:router", "there is no module 'nowhere' here"),
        ("app:missing", "has no router 'missing'"),
        ("app", "is not module:name"),
        ("app:added", "ROUTER is a function, and no StreamRouter"),
    ],
)
def test_what_is_no_router_is_wrong_usage(run, app, named, message):
    done = run("explain", named, stdin="{}")
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
