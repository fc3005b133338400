"""``RouterHarness``: items in, what the handlers were given out."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial

import pytest

from ddbstream import Disposition, Insert, Modify, Remove, StreamRouter, by_key_prefix, keys
from ddbstream.exceptions import BatchError, UnmatchedRecordError
from ddbstream.testing import RouterHarness, insert


@keys(PK="Customer#{customer}", SK="Order#{number}")
@dataclass
class Order:
    customer: str
    number: int
    total: int = 0


def a_router(**options) -> StreamRouter:
    return StreamRouter(classify=by_key_prefix("SK"), **options)


def test_it_tells_which_handlers_ran_in_order_and_with_what():
    router = a_router()

    @router.on_insert(Order)
    def added(record: Insert[Order]) -> None: ...

    @router.on_change("Order")
    async def seen(record) -> None:
        await asyncio.sleep(0)

    @router.on_modify(Order, changed="total")
    def repriced(record: Modify[Order]) -> None: ...

    harness = RouterHarness(router)
    outcome = harness.insert(Order("1", 2, 3))
    assert outcome.handlers == ("added", "seen")
    name, record = outcome.handled[0]
    assert (name, record.new) == ("added", Order("1", 2, 3))
    assert isinstance(record, Insert)
    assert (outcome.failures, outcome.unmatched, outcome.checkpoint) == ((), (), None)
    assert harness.modify(Order("1", 2, 3), Order("1", 2, 4)).handlers == ("seen", "repriced")
    assert harness.modify(Order("1", 2, 3), Order("1", 2, 3)).handlers == ("seen",)
    ((name, removed),) = harness.remove(Order("1", 2)).handled
    assert name == "seen"
    assert isinstance(removed, Remove)


def test_a_failure_is_told_with_its_record_and_what_was_done_before():
    router = a_router()

    @router.on_insert(Order)
    def picky(record: Insert[Order]) -> None:
        if record.new.number == 2:
            raise ValueError

    outcome = RouterHarness(router).send(*[insert(Order("1", number)) for number in (1, 2, 3)])
    assert [record.new.number for _, record in outcome.handled] == [1]
    ((record, error),) = outcome.failures
    assert (record.new.number, type(error)) == (2, ValueError)
    assert outcome.checkpoint == record.item_identifier
    assert outcome.unmatched == ()  # the third was not reached
    assert "picky failed INSERT" in str(outcome)


@pytest.mark.parametrize("unmatched", ["ignore", "raise"])
def test_a_record_that_no_route_wants_is_told_with_the_entities_that_the_router_knows(unmatched):
    router = a_router(unmatched=unmatched)
    router.on_insert("Product")(lambda record: None)
    router.on_insert(Order)(lambda record: None)
    outcome = RouterHarness(router).insert({"PK": "Customer#1", "SK": "Customer#1"})
    assert [record.keys["PK"] for record in outcome.unmatched] == ["Customer#1"]
    assert str(outcome).endswith(
        "no route wants entity 'Customer': the router knows 'Order', 'Product'"
    )
    assert [type(failure.error) for failure in outcome.failures] == (
        [UnmatchedRecordError] if unmatched == "raise" else []
    )


def test_a_record_whose_route_is_narrowed_away_is_unmatched():
    router = a_router()
    router.on_insert(Order, where=lambda record: False)(lambda record: None)
    assert len(RouterHarness(router).insert(Order("1", 2)).unmatched) == 1


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("given", [None, "plain", "async", "broken"])
def test_what_is_put_aside_and_what_is_skipped_have_places_of_their_own(given, concurrency):
    router, letters = a_router(), []

    @router.on_insert(Order)
    def picky(record: Insert[Order]) -> None:
        if record.new.number > 1:
            raise ValueError(record.new.number)

    @router.on_error
    def decide(failure):
        return Disposition.DEAD_LETTER if failure.error.args == (2,) else Disposition.SKIP

    async def later(letter) -> None:
        await asyncio.sleep(0)
        letters.append(letter)

    def broken(letter) -> None:
        raise OSError

    sinks = {None: None, "plain": letters.append, "async": later, "broken": broken}
    harness = RouterHarness(router, dead_letter=sinks[given], concurrency=concurrency)
    customers = "ab" if given == "broken" else "abc"
    outcome = harness.send(*[insert(Order(c, n)) for c in customers for n in (1, 3, 2)][:8])
    if given == "broken":
        assert [record.new.number for record, _ in outcome.failures][:1] == [2]
        assert outcome.dead_lettered == ()
        return
    assert sorted(record.new.number for record in outcome.dead_lettered) == [2, 2]
    assert [record.new.number for record in outcome.skipped] == [3, 3, 3]
    assert len(outcome.handled) == 3
    assert (outcome.failures, outcome.unmatched, outcome.checkpoint) == ((), (), None)
    assert len(letters) == (2 if given else 0)
    assert str(outcome).count("put aside INSERT") == 2
    assert str(outcome).count("skipped INSERT") == 3


def test_what_fails_before_any_handler_and_is_skipped_is_told_too():
    router = StreamRouter(classify=lambda record: 1 / 0)
    router.on_insert("Order")(lambda record: None)
    router.on_error(lambda failure: Disposition.SKIP)
    outcome = RouterHarness(router).insert(Order("1", 2))
    assert len(outcome.skipped) == 1
    assert (outcome.unmatched, outcome.checkpoint) == ((), None)


def test_dispatchs_options_reach_the_handlers():
    router = a_router()
    got = []

    @router.on_insert(Order)
    def added(record: Insert[Order], context: object) -> None:
        got.append(context)

    orders = [insert(Order(str(customer), 1)) for customer in range(8)]
    outcome = RouterHarness(router, context="context", concurrency=4).send(*orders)
    assert got == ["context"] * 8
    assert sorted(record.new.customer for _, record in outcome.handled) == list("01234567")


def test_a_handler_is_called_by_its_own_name_however_it_was_made():
    router = a_router()

    class Handlers:
        def added(self, record) -> None: ...

    def stored(where, record) -> None: ...

    router.on_insert(Order)(Handlers().added)
    router.on_insert(Order)(partial(stored, "there"))
    assert RouterHarness(router).insert(Order("1", 2)).handlers == ("added", "stored")


def test_middleware_of_the_router_is_around_and_its_observers_are_told_too():
    router = a_router()
    around, observed = [], []

    @router.middleware
    def note(record, call_next) -> None:
        around.append(record.event_name)
        call_next(record)

    router.observe(observed.append)
    router.on_insert(Order)(lambda record: None)
    harness = RouterHarness(router)
    harness.insert(Order("1", 2))
    harness.insert(Order("1", 3))
    assert around == ["INSERT", "INSERT"]
    assert len(observed) == 4  # a handler and a batch, twice


def test_a_router_with_folds_needs_a_window():
    router = a_router()

    @router.fold(Order)
    def total(state: dict, record: Insert[Order]) -> dict:
        return state

    with pytest.raises(BatchError, match="window"):
        RouterHarness(router).insert(Order("1", 2))
