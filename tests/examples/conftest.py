"""The product catalogue, imported as Lambda imports it: its folder on ``sys.path``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

CATALOGUE = Path(__file__).parents[2] / "examples/product_catalog"
MODULES = ("models", "add_product", "product_changes")


@pytest.fixture
def catalogue() -> Path:
    return CATALOGUE


@pytest.fixture
def functions(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The functions' folder on the path; what was imported from it is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(CATALOGUE / "functions"))
    kept = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    yield
    for name in MODULES:
        sys.modules.pop(name, None)
    sys.modules.update(kept)


@pytest.fixture
def add_product(functions: None) -> ModuleType:
    return importlib.import_module("add_product")


@pytest.fixture
def product_changes(functions: None) -> ModuleType:
    return importlib.import_module("product_changes")
