"""Strategies of what an item holds: names, numbers, text, and values of all ten types."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["names", "numbers", "texts", "values"]

_DIGITS = 38
_LEAST, _GREATEST = -130, 125


def texts(*, min_size: int = 0, max_size: int = 20) -> SearchStrategy[str]:
    """Text that UTF-8 can write: without lone surrogates."""
    signs = st.characters(exclude_categories=["Cs"])
    return st.text(signs, min_size=min_size, max_size=max_size)


def names() -> SearchStrategy[str]:
    """Attribute names: any text that is not empty, dots and all."""
    return texts(min_size=1)


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
        texts(), numbers(), st.binary(max_size=20), st.booleans(), st.none(), *_sets()
    )
    return st.recursive(
        scalars,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(names(), inner, max_size=4)
        ),
        max_leaves=12,
    )


def _sets() -> list[SearchStrategy[set[Any]]]:
    members = (texts(), numbers(), st.binary(max_size=20))
    return [st.sets(member, min_size=1, max_size=4) for member in members]
