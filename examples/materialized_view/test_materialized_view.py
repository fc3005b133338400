"""The view holds what the table holds, in both databases, also when records come again."""

from __future__ import annotations

import importlib.util
import os
import random
import shutil
import subprocess
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest
from materialized_view import PostgreSQL, Product, SQLite, view

from ddbstream import to_item
from ddbstream.poller import StreamPoller
from ddbstream.testing import FakeStream, insert, modify, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

DESK = Product("1", "desk", Decimal("1299.99"), "furniture")
CHEAPER = replace(DESK, price=Decimal("1149.95"))


def needs(what: str) -> NoReturn:
    """Skip on a laptop without it; fail in CI, where a green run means that everything ran."""
    if os.environ.get("CI"):
        pytest.fail(f"CI needs {what}", pytrace=False)
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """A PostgreSQL server of the tests' own, on a socket in a folder."""
    if importlib.util.find_spec("psycopg") is None:
        needs("psycopg (pip install 'psycopg[binary]')")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(found[-1]) if found else None)
    if initdb is None:
        needs("PostgreSQL (Debian: apt install postgresql)")
    bin_ = Path(str(initdb)).resolve().parent
    # Not pytest's folder: a socket's path may have 107 characters, and its parents must be open to
    # the user that a server refuses to be anything but.
    home = Path(tempfile.mkdtemp(prefix="view-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)

    def run(*command: str | Path) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", user=user)

    data = home / "data"
    server = (bin_ / "pg_ctl", "-D", data, "-w", "-l", home / "log")
    run(bin_ / "initdb", "-D", data, "-A", "trust", "-U", "test")
    run(*server, "-o", f"-c listen_addresses='' -c fsync=off -k {home}", "start")
    try:
        yield f"postgresql:///postgres?host={home}&user=test"
    finally:
        run(*server, "-m", "immediate", "stop")
        shutil.rmtree(home)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "sqlite":
        made: Any = SQLite(str(tmp_path / "view.db"))
    else:
        made = PostgreSQL(request.getfixturevalue("postgresql"))
        made.execute("DROP TABLE IF EXISTS product")
    yield made
    made.close()


def rows(database: Any) -> list[tuple[Any, ...]]:
    found = database._connection.execute(
        "SELECT id, name, price, category FROM product WHERE NOT deleted ORDER BY id"
    ).fetchall()
    return [(one, name, Decimal(str(price)), category) for one, name, price, category in found]


def test_a_product_comes_changes_and_goes(database: Any):
    router = view(database)
    router.dispatch([insert(DESK), modify(DESK, CHEAPER)])
    assert rows(database) == [("1", "desk", Decimal("1149.95"), "furniture")]
    router.dispatch([remove(CHEAPER)])
    assert rows(database) == []


def test_records_that_come_again_late_change_nothing(database: Any):
    router = view(database)
    records = [insert(DESK), modify(DESK, CHEAPER), remove(CHEAPER)]
    router.dispatch(records)
    router.dispatch(records[:2])
    assert rows(database) == []


def test_the_view_is_what_the_table_is_after_any_history(database: Any):
    chance = random.Random(18)
    stream = FakeStream("Product", keys=("PK", "SK"))
    table: dict[str, Product] = {}
    for _ in range(200):
        one = str(chance.randrange(8))
        item = to_item(Product(one, "x", Decimal(chance.randrange(1000)), "y"))
        if chance.random() < 0.2 and one in table:
            stream.delete({key: item[key] for key in ("PK", "SK")})
            del table[one]
        else:
            product = Product(one, f"name {chance.random()}", Decimal(chance.randrange(99)), "z")
            stream.put(to_item(product))
            table[one] = product
        if chance.random() < 0.05:
            stream.roll_over()
    poller = StreamPoller("Product", view(database), client=stream, clock=stream.clock)
    poller.run_until_caught_up()
    assert rows(database) == [
        (one, product.name, product.price, product.category)
        for one, product in sorted(table.items())
    ]
