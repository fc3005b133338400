"""``ddbstream diff``: two items in files, what changed between them."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import lines

pytest.importorskip("click")

OLD = {"PK": {"S": "Product#1"}, "price": {"N": "5"}, "tags": {"SS": ["a"]}}
NEW = {"PK": {"S": "Product#1"}, "price": {"N": "6"}, "tags": {"SS": ["a", "b"]}}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps({"Item": OLD}))
    (tmp_path / "new.json").write_text(json.dumps(NEW, indent=2))
    return tmp_path


def test_it_prints_the_changes_as_json_in_a_pipe_and_as_text_on_a_terminal(
    run, on_a_terminal, files
):
    done = run("diff", "old.json", "new.json")
    assert (done.returncode, done.stderr) == (0, "")
    (document,) = lines(done.stdout)
    assert [change["path"] for change in document["changes"]] == ["price", "tags"]
    seen = on_a_terminal("diff", "old.json", "new.json")
    assert "price" in seen
    assert "tags" in seen


def test_it_makes_a_json_patch_and_the_arguments_of_an_update(run, files):
    (patch,) = lines(run("diff", "old.json", "new.json", "--as", "patch").stdout)
    assert {"op": "replace", "path": "/price", "value": "6"} in [
        {**one, "value": str(one["value"])} for one in patch
    ]
    (update,) = lines(run("diff", "old.json", "new.json", "--as", "update").stdout)
    assert "SET" in update["UpdateExpression"]


def test_one_of_the_two_may_be_standard_input(run, files):
    done = run("diff", "-", "new.json", stdin=json.dumps(NEW))
    assert json.loads(done.stdout)["changes"] == []
    assert run("diff", "-", "-", stdin="{}").returncode == 2


def test_it_exits_with_1_where_asked_to_if_the_items_differ(run, files):
    assert run("diff", "--exit-code", "old.json", "new.json").returncode == 1
    assert run("diff", "--exit-code", "new.json", "new.json").returncode == 0


@pytest.mark.parametrize("text", ["", "[]", '{"a": 1}', "no json", '{"a": {"N": "x"}}'])
def test_what_is_no_item_is_an_error_that_names_the_file(run, files, text):
    (files / "bad.json").write_text(text)
    done = run("diff", "bad.json", "new.json")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
