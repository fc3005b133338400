"""Each fault that docs/poller.md lists names its tests, and those are there."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.poller_mutants import MUTANTS

TESTS = Path(__file__).parents[2]
DOCUMENT = TESTS.parent / "docs" / "poller.md"
NAME = re.compile(r"`(test_\w+\.py)::([\w:]+)(?:\[(\w+)\])?`")
FAULTS = 43


def rows():
    text = DOCUMENT.read_text().partition("## Every fault, and where it is tested")[2]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@cache
def functions(file):
    (path,) = TESTS.rglob(file)
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            members = (member for member in node.body if isinstance(member, ast.FunctionDef))
            found.update(f"{node.name}::{member.name}" for member in members)
    return found


def test_no_fault_is_left_out():
    assert [row[0] for row in rows()] == [str(number) for number in range(1, FAULTS + 1)]
    assert all(len(row) == 4 for row in rows())


@pytest.mark.parametrize("number", range(1, FAULTS + 1))
def test_the_tests_of_a_fault_are_there(number):
    cell = rows()[number - 1][3]
    named = NAME.findall(cell)
    assert named
    assert len(named) == cell.count("`") // 2  # nothing is named in a way that is not checked
    for file, name, parameter in named:
        assert name in functions(file), f"{file}::{name}"
        assert not parameter or parameter in MUTANTS, parameter
