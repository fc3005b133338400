"""Hypothesis strategies of what DynamoDB can hold: values, items, stream records, whole events.

They need Hypothesis: ``pip install "ddbstream[testing]"``. What they draw is what a table can
store, to its limits: all ten types, numbers of 38 digits from 1E-130 to 9.99E+125, empty text and
binaries, attribute names of any text.

Sources: DynamoDB's `data types`_ and `limits`_.

.. _data types: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
.. _limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from ddbstream import to_item
from ddbstream.testing.builders import insert, modify, remove
from ddbstream.testing.payloads import lambda_event

if TYPE_CHECKING:
    from typing import Literal

    from hypothesis.strategies import SearchStrategy

    from ddbstream.typing import Item, WireRecord

__all__ = ["items", "lambda_events", "names", "numbers", "records", "values", "wire_items"]

_DIGITS = 38
_LEAST, _GREATEST = -130, 125


def _texts(*, min_size: int = 0) -> SearchStrategy[str]:
    """Text that UTF-8 can write: without lone surrogates."""
    return st.text(st.characters(exclude_categories=["Cs"]), min_size=min_size, max_size=20)


def names() -> SearchStrategy[str]:
    """Attribute names: any text that is not empty, dots and all."""
    return _texts(min_size=1)


@st.composite
def numbers(draw: st.DrawFn) -> Decimal:
    """Numbers that DynamoDB stores exactly, to the edges of its precision and its range."""
    digits = draw(st.one_of(st.integers(0, 6), st.integers(0, _DIGITS)))
    if not digits:
        return Decimal(0)
    whole = draw(st.integers(10 ** (digits - 1), 10**digits - 1))
    # The number's magnitude, its first digit's place, is what has a range.
    first = len(str(whole)) - 1
    magnitude = draw(st.one_of(st.integers(-6, 12), st.integers(_LEAST, _GREATEST)))
    sign = draw(st.sampled_from(["", "-"]))
    return Decimal(f"{sign}{whole}E{magnitude - first}")


def values() -> SearchStrategy[Any]:
    """Python values of all ten types, nested, as `ddbstream.from_item` gives them untyped."""
    scalars = st.one_of(
        _texts(), numbers(), st.binary(max_size=20), st.booleans(), st.none(), *_sets()
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(_texts(), inner, max_size=4)
        ),
        max_leaves=12,
    )


def _sets() -> list[SearchStrategy[set[Any]]]:
    members = (_texts(), numbers(), st.binary(max_size=20))
    return [st.sets(member, min_size=1, max_size=4) for member in members]


def items() -> SearchStrategy[dict[str, Any]]:
    """Items as dicts of Python values; an empty one is no item."""
    return st.dictionaries(names(), values(), min_size=1, max_size=6)


def wire_items(*, wire: Literal["boto3", "json"] = "boto3") -> SearchStrategy[Item]:
    """Items as boto3's client has them (``"boto3"``), or as Lambda's JSON does (``"json"``)."""
    return items().map(lambda item: to_item(item, wire=wire))


def records(images: SearchStrategy[Any] | None = None) -> SearchStrategy[WireRecord]:
    """Stream records in Lambda's form: an insert, a modify or a remove.

    Args:
        images: What the images are made of: items, or models such as
            ``st.builds(Product, price=numbers())``. Any item, if not given. A modify draws two
            that have nothing to do with each other, not even the key.
    """
    source: SearchStrategy[Any] = items() if images is None else images
    return st.one_of(
        st.builds(insert, source),
        st.builds(modify, source, source),
        st.builds(lambda old, ttl: remove(old, ttl=ttl), source, st.booleans()),
    )


def lambda_events(images: SearchStrategy[Any] | None = None) -> SearchStrategy[dict[str, Any]]:
    """Whole Lambda events of up to ten records; ``images`` as for `records`."""
    return st.lists(records(images), max_size=10).map(lambda_event)
