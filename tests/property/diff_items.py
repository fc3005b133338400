"""Items for the properties of a diff: pairs of unrelated ones, and pairs that differ in a few
places."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Context, Decimal
from typing import Any

from hypothesis import strategies as st

# Names that an update expression cannot write as they are, names that a path must quote, and names
# that are alike: reserved words, dots, dashes, brackets, quotes, spaces, letters of other scripts.
NAMES = st.one_of(
    st.sampled_from(
        ["a", "b", "c", "size", "name", "a.b", "a-b", "a[0]", "0", "a b", 'q"q', "é", "\\", "#x"]
    ),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=6),
)
_38_DIGITS = Context(prec=38)
NUMBERS = st.one_of(
    st.integers(-3, 3).map(Decimal),
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20).map(
        _38_DIGITS.plus
    ),
    st.sampled_from([Decimal("1E+125"), Decimal("1E-130"), Decimal("1.0"), Decimal("9" * 38)]),
)
TEXTS = st.one_of(
    st.sampled_from(["", "1", "x", "true"]), st.text(st.characters(codec="utf-8"), max_size=5)
)
BINARIES = st.binary(max_size=3)
SETS = st.one_of(
    st.sets(st.sampled_from("abcd"), min_size=1),
    st.sets(st.integers(0, 4).map(Decimal), min_size=1),
    st.sets(BINARIES, min_size=1, max_size=3),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS, BINARIES, SETS)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=5), st.dictionaries(NAMES, inner, max_size=4)),
    max_leaves=12,
)
ITEMS = st.dictionaries(NAMES, VALUES, max_size=5)


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with a change somewhere in it, more often small than not."""
    if isinstance(value, dict) and draw(st.integers(0, 4)):
        result = dict(value)
        if value and draw(st.booleans()):
            name = draw(st.sampled_from(sorted(value)))
            if draw(st.integers(0, 3)):
                result[name] = draw(changed(value[name]))
            else:
                del result[name]
        else:
            result[draw(NAMES)] = draw(VALUES)
        return result
    if isinstance(value, list) and draw(st.integers(0, 4)):
        result = list(value)
        where = draw(st.integers(0, len(value)))
        if where < len(value) and draw(st.booleans()):
            result[where] = draw(changed(value[where]))
        elif where < len(value) and draw(st.booleans()):
            del result[where]
        else:
            result.insert(where, draw(VALUES))
        return result
    if isinstance(value, set):
        return value ^ draw(st.sampled_from([{member} for member in sorted(value)])) or value
    return draw(VALUES)


@st.composite
def _near(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    old = draw(ITEMS)
    new = old
    for _ in range(draw(st.integers(0, 3))):
        made = draw(changed(new))
        new = made if isinstance(made, dict) else new
    return old, new


PAIRS = st.one_of(st.tuples(ITEMS, ITEMS), _near())


def frozen(value: Any) -> Any:
    """A value that is equal for equal DynamoDB values only: written apart from what it checks."""
    if isinstance(value, bool) or value is None:
        return ("constant", str(value))
    if isinstance(value, (int, float, Decimal)):
        return ("number", Decimal(value))
    if isinstance(value, Mapping):
        return ("map", frozenset((name, frozen(inner)) for name, inner in value.items()))
    if isinstance(value, list):
        return ("list", tuple(frozen(inner) for inner in value))
    if isinstance(value, (set, frozenset)):
        return ("set", frozenset(frozen(member) for member in value))
    return (type(value).__name__, value)
