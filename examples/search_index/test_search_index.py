"""The index holds what the table holds; what the engine refuses comes again."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
import search_index
from search_index import Product

from ddbstream.testing import EventSourceMapping, insert, modify, remove

if TYPE_CHECKING:
    from collections.abc import Iterator

DESK = Product("1", "desk", Decimal("1299.99"), "furniture")


class Engine(ThreadingHTTPServer):
    """A server that keeps documents as ``_bulk`` says; ``refusals`` requests are refused first."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Bulk)
        self.documents: dict[str, dict[str, Any]] = {}
        self.refusals = 0


class Bulk(BaseHTTPRequestHandler):
    @property
    def engine(self) -> Engine:
        assert isinstance(self.server, Engine)
        return self.server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        lines = iter([json.loads(line) for line in body.splitlines()])
        items = [self.item(action, lines) for action in lines]
        answer = json.dumps({"errors": False, "items": items}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def item(self, action: dict[str, Any], lines: Iterator[dict[str, Any]]) -> dict[str, Any]:
        ((what, about),) = action.items()
        document = next(lines) if what == "index" else None
        if self.engine.refusals:
            self.engine.refusals -= 1
            return {what: {"status": 429}}
        if document is not None:
            self.engine.documents[about["_id"]] = document
            return {what: {"status": 200}}
        had = self.engine.documents.pop(about["_id"], None)
        return {what: {"status": 404 if had is None else 200}}

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a test's output is the test's."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    with Engine() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("OPENSEARCH_URL", f"http://127.0.0.1:{server.server_address[1]}")
        yield server
        server.shutdown()
        thread.join()


def mapping(records: list[Any]) -> EventSourceMapping:
    return EventSourceMapping(
        search_index.handler, records, function_response_types=["ReportBatchItemFailures"]
    )


def test_the_index_has_the_newest_product_and_no_deleted_one(engine: Engine):
    cheaper, lamp = replace(DESK, price=Decimal(999)), replace(DESK, id="2", name="lamp")
    mapping([insert(DESK), insert(lamp), modify(DESK, cheaper), remove(lamp)]).run()
    assert engine.documents == {
        "1": {"name": "desk", "price": "999", "category": "furniture"},
    }


def test_a_deletion_that_comes_twice_is_no_failure(engine: Engine):
    done = mapping([insert(DESK), remove(DESK), remove(DESK)])
    done.run()
    assert (len(done.invocations), engine.documents) == (1, {})


def test_what_the_engine_refuses_comes_again(engine: Engine):
    engine.refusals = 2
    done = mapping([insert(DESK)])
    done.run()
    assert len(done.invocations) == 3
    assert list(engine.documents) == ["1"]
