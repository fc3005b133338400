"""What a type checker knows of a router. Checked by mypy and pyright, never run.

A line that must not check carries an ignore, which is itself an error where it is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from typing_extensions import assert_type

from ddbstream import (
    BatchResult,
    Change,
    Disposition,
    Failure,
    Insert,
    LambdaHandler,
    Modify,
    Remove,
    StreamRecord,
    StreamRouter,
    by_key_prefix,
    by_keys,
    on_insert,
)
from ddbstream.aws_lambda import Window
from ddbstream.filters import FilterCriteria
from ddbstream.metrics import BatchEvent, HandlerEvent
from ddbstream.models import Registry
from ddbstream.typing import BatchResponse, LambdaContext


@dataclass
class Product:
    id: str


@dataclass
class Order:
    id: str


router = StreamRouter(classify=by_key_prefix("PK"), unmatched="raise")
with_registry = StreamRouter(registry=Registry())
StreamRouter(registry={})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # ty: ignore
by_templates = StreamRouter(classify=by_keys(Product, Sale=Order))


# A class: functions of that class's records, with the context or without, async or not.
@router.on_insert(Product)
def added(record: Insert[Product]) -> None:
    assert_type(record.new, Product)


@router.on_modify(Product, changed="price", where=lambda record: record.new.id == "1")
def changed(record: Modify[Product], context: LambdaContext) -> None:
    assert_type(record.old, Product)


@router.on_remove(Product, ttl=True)
async def removed(record: Remove[Product]) -> None:
    assert_type(record.old, Product)


@router.on_change(Product)
def any_change(record: Change[Product]) -> None:
    if isinstance(record, Modify):
        assert_type(record.old, Product)


# A function of more will do, and keeps what it takes.
@router.on_insert(Product)
@router.on_remove(Product)
def both(record: Change[Product]) -> int:
    return 1


def the_decorated_function_is_still_the_function(record: Remove[Product]) -> None:
    assert_type(both(record), int)


# A name: functions of any class's records.
@router.on_insert("Product")
def named(record: Insert[Product]) -> None: ...


@router.on_insert()
def all_inserts(record: Insert) -> None:
    assert_type(record.new, dict[str, Any])


# Without parentheses.
@router.on_insert
def bare(record: Insert[Product]) -> None: ...


@on_insert
def module_level(record: Insert[Product], context: object) -> None: ...


# What must not check.
@router.on_insert(Product)  # type: ignore[arg-type]  # ty: ignore[no-matching-overload]
def wrong_model(record: Insert[Order]) -> None: ...


@router.on_insert(Product)  # type: ignore[arg-type]  # ty: ignore[no-matching-overload]
def wrong_record(record: Modify[Product]) -> None: ...


@router.on_change(Product)  # type: ignore[arg-type]  # ty: ignore[no-matching-overload]
def too_narrow(record: Insert[Product]) -> None: ...


@router.on_insert(Product)  # type: ignore[arg-type]  # ty: ignore[no-matching-overload]
def too_many(record: Insert[Product], context: object, more: object) -> None: ...


@router.on_insert("Product")  # type: ignore[arg-type]  # ty: ignore[no-matching-overload]
def wrong_record_by_name(record: Remove[Product]) -> None: ...


@router.on_insert  # type: ignore[arg-type]  # ty: ignore[no-matching-overload]
def wrong_record_bare(record: Remove[Product]) -> None: ...


router.on_insert(Product, where=lambda record: record.new.nothing)  # type: ignore[attr-defined]  # ty: ignore[missing-attribute]
router.on_insert(Product, unknown=1)  # type: ignore[call-overload]
router.on_insert(5)  # type: ignore[call-overload]  # ty: ignore[no-matching-overload]
StreamRouter(unmatched="explode")  # type: ignore[arg-type]  # ty: ignore[invalid-argument-type]

# The rest of the surface.
result = router.dispatch([], context=None, concurrency=2)
assert_type(result, BatchResult)
assert_type(result.failures, tuple[Failure, ...])
assert_type(result.checkpoint, "str | None")
for failure in result.failures:
    record, error = failure
    assert_type(record, StreamRecord[Any])
    assert_type(error, Exception)
    assert_type(failure.route, "str | None")

criteria: FilterCriteria | None = router.filter_criteria()


@router.on_error(ValueError, route=added)
def decide(failure: Failure) -> Disposition:
    return Disposition.DEAD_LETTER


@router.observe
def observe(event: HandlerEvent | BatchEvent) -> None: ...


@dataclass
class Totals:
    count: int = 0


@router.fold(Product)
def totals(state: Totals, record: Change[Product]) -> Totals:
    return state


@router.on_window_end(fold=totals)
def ended(state: Totals, window: Window) -> None: ...


handler = LambdaHandler(
    router, report_batch_item_failures=True, concurrency=4, deadline_margin=2.5, dead_letter=print
)
assert_type(handler({}, None), BatchResponse)
