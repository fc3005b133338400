"""The product catalogue, imported as Lambda imports it: its folder on ``sys.path``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

CATALOGUE = Path(__file__).parents[2] / "examples/product_catalog"
MODULES = ("models", "product_api", "add_product", "change_product", "product_changes")


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
def change_product(functions: None) -> ModuleType:
    return importlib.import_module("change_product")


@pytest.fixture
def product_changes(functions: None) -> ModuleType:
    return importlib.import_module("product_changes")


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch, add_product: ModuleType) -> Iterator[Any]:
    """The catalogue's table, empty; ``add_product`` and ``change_product`` write to it."""
    boto3, moto = pytest.importorskip("boto3"), pytest.importorskip("moto")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    monkeypatch.setenv("TABLE_NAME", "Product")
    with moto.mock_aws():
        add_product.dynamodb.cache_clear()
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="Product",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": name, "AttributeType": "S"} for name in ("PK", "SK")
            ],
            KeySchema=[
                {"AttributeName": "PK", "KeyType": "HASH"},
                {"AttributeName": "SK", "KeyType": "RANGE"},
            ],
        )
        yield client
