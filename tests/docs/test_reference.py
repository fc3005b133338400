"""The reference has every public name, a block that runs shows each, and every page has a place."""

from __future__ import annotations

import ast
import fnmatch
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import ddbstream

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in DOCS.glob("reference/*.md"))

# The command line's modules are no interface: its commands are, and the reference has those.
MODULES = [
    "ddbstream",
    *(
        name
        for _, name, _ in pkgutil.walk_packages(ddbstream.__path__, "ddbstream.")
        if not name.startswith("ddbstream.cli")
        and name != "ddbstream.testing.pytest"  # a plugin, loaded when pytest is asked for it
        and not any(part.startswith("_") for part in name.split("."))
    ),
]


def names_of(module: str) -> list[str]:
    return list(getattr(importlib.import_module(module), "__all__", ()))


def run_blocks() -> dict[str, str]:
    """Page -> the Python of it that the tests run, visible or not."""
    found = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        text = re.sub(r"<!--- skip: next.*?-->\s*```python\n.*?```", "", text, flags=re.DOTALL)
        blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
        blocks += re.findall(r"<!--- invisible-code-block: python\n(.*?)-->", text, re.DOTALL)
        found[str(page.relative_to(ROOT))] = "\n".join(blocks)
    return found


def used_in_blocks() -> set[str]:
    used: set[str] = set()
    for source in run_blocks().values():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ImportFrom):
                used |= {alias.name for alias in node.names}
            elif isinstance(node, ast.Attribute):
                used.add(node.attr)
            elif isinstance(node, ast.Name):
                used.add(node.id)
    return used


@pytest.fixture(scope="module")
def used() -> set[str]:
    return used_in_blocks()


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_used_in_a_block_that_runs(module: str, used: set[str]):
    assert [name for name in names_of(module) if name not in used] == []


def documented() -> set[tuple[str, str]]:
    """What the ``public-names`` of the reference cover, as pairs of module and name."""
    found = set()
    for module, names in re.findall(
        r"^\.\. public-names:: (\S+)\n((?:\n|   .*\n)*)", REFERENCE, re.MULTILINE
    ):
        found |= {(module, name) for name in names.split() or names_of(module)}
    return found


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module: str):
    have = {(name, id(getattr(importlib.import_module(home), name))) for home, name in documented()}
    loaded = importlib.import_module(module)
    assert [
        name for name in names_of(module) if (name, id(getattr(loaded, name))) not in have
    ] == [], f"docs/reference/ has no `.. public-names:: {module}` with these"


def test_the_reference_says_what_to_do_about_every_error():
    rows = set(
        re.findall(r"^\| `(\w+)` \|", (DOCS / "reference/errors.md").read_text(), re.MULTILINE)
    )
    errors = {name for name in names_of("ddbstream.exceptions") if name.endswith("Error")}
    assert rows == errors - {"DDBStreamError"}


def test_every_page_has_a_place_in_the_table_of_contents():
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    entries = {
        line.strip()
        for block in re.findall(r"^:::\{toctree\}\n(.*?)^:::", index, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
        if line and not line.startswith(":")
    }
    pages = {page.relative_to(DOCS).with_suffix("").as_posix() for page in DOCS.rglob("*.md")}
    pages = {page for page in pages if not page.startswith("_")}  # parts of pages, as in conf.py
    homeless = {
        page
        for page in pages - {"index"}
        if not any(
            fnmatch.fnmatch(page, entry) and page.count("/") == entry.count("/")
            for entry in entries
        )
    }
    assert homeless == set(), "give it a line in a toctree of docs/index.md"
