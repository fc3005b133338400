"""One input by two roads, as text that is read where it is asked for and as dicts: all is the same.

Without msgspec there is one road, and nothing to compare.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from ddbstream import parse
from ddbstream._wire import unread_text
from ddbstream.poller import _fast_records
from tests.support.roads import insert_of, new_image, outcome, unread_page

__all__ = ["compare_item", "compare_pages", "compare_payload"]

_READ = (
    "approximate_creation_datetime",
    "event_id",
    "item_identifier",
    "is_ttl_removal",
    "is_unchanged",
    "keys",
    "new",
    "old",
    "order_key",
    "raw",
    "sequence_number",
    "table_name",
)


@contextmanager
def _dicts() -> Iterator[None]:
    before = unread_text.unread, _fast_records._read_answer
    unread_text.unread = _fast_records._read_answer = None
    try:
        yield
    finally:
        unread_text.unread, _fast_records._read_answer = before


def _records(payload: Any, model: Any) -> list[Any]:
    found: list[Any] = []
    records = parse(payload, model)
    while True:
        made = outcome(lambda: next(records, None))
        if made == ("value", None):
            return found
        found.append(_everything(made[1]) if made[0] == "value" else made)


def _everything(record: Any) -> list[Any]:
    # The parts one by one first, so that nothing has been read whole before.
    names = [name for name in _READ if hasattr(type(record), name)]
    found = [outcome(lambda name=name: getattr(record, name)) for name in names]
    return [*found, outcome(lambda: list(record.diff)), repr(record)]


def _same(one: Any, other: Any, about: str) -> None:
    # By what they say, where they are not equal: a NaN is not equal to itself.
    if one != other and repr(one) != repr(other):
        raise AssertionError(f"{about}: as text {one!r}, as dicts {other!r}")


def compare_payload(data: Any, model: Any = None) -> None:
    """Anything that `parse` takes."""
    as_text = outcome(lambda: _records(data, model))
    with _dicts():
        _same(as_text, outcome(lambda: _records(data, model)), "a payload")


def compare_pages(take: Callable[[], Any], model: Any = None) -> None:
    """Two answers of `GetRecords`, of the same body, as the client gives them."""
    as_text = take()
    with _dicts():
        as_dicts = take()
    pages = [answer.pop("Records", None) for answer in (as_text, as_dicts)]
    _same(as_text, as_dicts, "an answer")
    _same(*(outcome(lambda page=page: _records(page, model)) for page in pages), "a page")  # type: ignore[misc]


def compare_item(item: Any, model: Any) -> None:
    """An item, in a model; what JSON cannot hold is passed over."""
    try:
        record = json.loads(json.dumps(insert_of(item)))
    except (TypeError, ValueError, RecursionError):
        return
    _same(new_image(unread_page([record]), model), new_image([record], model), "an item")
