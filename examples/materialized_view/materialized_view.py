"""Keeps a SQL table of the products that a DynamoDB table holds: in PostgreSQL, or in SQLite.

The view is right once every record was handled, however often records come again: a row carries the
sequence number of the change that made it, an older change never undoes a newer one, and a deleted
product leaves its number behind, so that it cannot come back to life.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from ddbstream import Change, Remove, StreamRouter, by_key_prefix, keys

if TYPE_CHECKING:
    from collections.abc import Sequence

SCHEMA = """
CREATE TABLE IF NOT EXISTS product (
    id TEXT PRIMARY KEY,
    name TEXT,
    price NUMERIC,
    category TEXT,
    deleted BOOLEAN NOT NULL,
    sequence_number TEXT NOT NULL
)
"""
UPSERT = """
INSERT INTO product (id, name, price, category, deleted, sequence_number)
VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, price = excluded.price, category = excluded.category,
    deleted = excluded.deleted, sequence_number = excluded.sequence_number
WHERE excluded.sequence_number > product.sequence_number
"""


@keys(PK="Product#{id}", SK="User#Product")
@dataclass(frozen=True)
class Product:
    """One product of the DynamoDB table."""

    id: str
    name: str
    price: Decimal
    category: str


class Database(Protocol):
    """What the view asks of a database."""

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement, and commit it."""
        ...


class SQLite:
    """A file of this machine. One thread at a time: leave the poller's concurrency at 1."""

    def __init__(self, path: str) -> None:
        import sqlite3

        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement; a price is kept as text, which SQLite compares as a number."""
        self._connection.execute(
            sql, [str(value) if isinstance(value, Decimal) else value for value in values]
        )

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


class PostgreSQL:
    """A server, named as libpq names it: ``postgresql://user@host/database``."""

    def __init__(self, conninfo: str) -> None:
        import psycopg

        self._connection = psycopg.connect(conninfo, autocommit=True)

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run one statement."""
        self._connection.execute(sql.replace("?", "%s").encode(), values)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def view(database: Database) -> StreamRouter:
    """The router that keeps the view in ``database``."""
    database.execute(SCHEMA)
    router = StreamRouter(classify=by_key_prefix("PK"))

    @router.on_change(Product)
    def keep(record: Change[Product]) -> None:
        gone = isinstance(record, Remove)
        product = record.old if isinstance(record, Remove) else record.new
        values = (None, None, None) if gone else (product.name, product.price, product.category)
        # As text of one length, numbers of 40 digits compare alike in every database.
        number = f"{int(record.sequence_number or 0):040d}"
        database.execute(UPSERT, (product.id, *values, gone, number))

    return router


def main() -> None:
    """Follow the table ``TABLE`` for good; the view is in ``DATABASE``."""
    from ddbstream.poller import SQLiteCheckpoints, StreamPoller

    where = os.environ["DATABASE"]
    database = PostgreSQL(where) if where.startswith("postgresql://") else SQLite(where)
    poller = StreamPoller(
        os.environ["TABLE"], view(database), checkpoints=SQLiteCheckpoints("positions.db")
    )
    poller.run(install_signals=True)


if __name__ == "__main__":
    main()
