"""Hypothesis strategies of what DynamoDB can hold: values, items, stream records, whole events.

They need Hypothesis: ``pip install "ddbstream[testing]"``. What they draw is what a table can
store, to its limits: all ten types, numbers of 38 digits from 1E-130 to 9.99E+125, empty text and
binaries, attribute names of any text.

Sources: DynamoDB's `data types`_ and `limits`_.

.. _data types: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
.. _limits: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ddbstream import to_item
from ddbstream._values.extras import missing_extra

try:
    from hypothesis import strategies as st
except ModuleNotFoundError as _error:
    raise missing_extra(_error, "hypothesis", "testing", "ddbstream.testing.strategies") from None

from ddbstream.testing._item_strategies import names, numbers, values
from ddbstream.testing._model_strategies import instances
from ddbstream.testing._stream_strategies import (
    ViewType,
    WireShard,
    a_batch,
    a_shard_tree,
    keyed_items,
)
from ddbstream.testing.builders import insert, modify, remove
from ddbstream.testing.payloads import lambda_event

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from ddbstream.typing import Item, WireRecord

__all__ = [
    "WireShard",
    "batches",
    "from_model",
    "items",
    "lambda_events",
    "names",
    "numbers",
    "records",
    "shard_trees",
    "values",
    "wire_items",
]

T = TypeVar("T")


@overload
def from_model(model: type[T], /, **fields: SearchStrategy[Any]) -> SearchStrategy[T]: ...
@overload
def from_model(model: Any, /, **fields: SearchStrategy[Any]) -> SearchStrategy[Any]: ...
def from_model(model: Any, /, **fields: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Instances of a model: any class with fields that `ddbstream.from_item` reads.

    What is drawn can be written as an item and reads back equal. A field with a default is left to
    it in some draws, text in an ``@keys`` template does without the template's separators, and
    times have a zone. ``Field(gt=0)`` and ``Annotated[int, Gt(0)]`` are heeded.

    Args:
        model: A dataclass, or a class of pydantic, attrs or msgspec; a named tuple or typed dict.
        fields: Strategies for fields about which the annotation does not say enough:
            ``from_model(Order, state=st.sampled_from(["open", "paid"]))``.

    Raises:
        TypeError: The model is no class with fields, or has no such field.
    """
    return instances(model, fields)


def items() -> SearchStrategy[dict[str, Any]]:
    """Items as dicts of Python values; an empty one is no item."""
    return st.dictionaries(names(), values(), min_size=1, max_size=6)


def wire_items(*, wire: Literal["boto3", "json"] = "boto3") -> SearchStrategy[Item]:
    """Items as boto3's client has them (``"boto3"``), or as Lambda's JSON does (``"json"``)."""
    return items().map(lambda item: to_item(item, wire=wire))


def records(images: SearchStrategy[Any] | None = None) -> SearchStrategy[WireRecord]:
    """Stream records in Lambda's form: an insert, a modify or a remove.

    Args:
        images: What the images are made of: items, or models such as ``from_model(Product)``.
            Any item, if not given. A modify draws two
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


def batches(
    images: SearchStrategy[Any] | None = None,
    *,
    keys: Sequence[str] | None = None,
    table_name: str | None = None,
    view_type: ViewType = "NEW_AND_OLD_IMAGES",
    min_size: int = 1,
    max_size: int = 10,
) -> SearchStrategy[list[WireRecord]]:
    """A batch as a shard delivers it: each item's records in the order of its changes.

    An item is inserted, modified and removed in an order that can be: the old image of a record is
    the new one of the item's record before. Sequence numbers rise, and all records are of one
    table. Some items were there before the batch, and some are deleted by Time to Live.

    Args:
        images: As for `records`: ``from_model(Order)``, or ``st.one_of`` of several models.
        keys: The table's key attributes; by default as for `ddbstream.testing.insert`.
        table_name: By default the class name of the first record's model, or ``Table``.
        view_type: Which images the records carry.
        min_size: Records at least.
        max_size: Records at most.
    """
    return a_batch(
        keyed_items() if images is None else images,
        keys=keys,
        table_name=table_name,
        view_type=view_type,
        sizes=(min_size, max_size),
    )


def shard_trees(*, max_shards: int = 12) -> SearchStrategy[list[WireShard]]:
    """The shards of a stream as ``DescribeStream`` lists them, in any order.

    Shards have split, or rolled over to one child; a parent may be gone already, after 24 hours; a
    closed shard may have no child yet. A child's numbers come after those of its parent.

    Args:
        max_shards: How many at most.

    Source: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_DescribeStream.html
    """
    return a_shard_tree(max_shards)
