"""What a stream delivers, drawn: batches in which items have a history, and trees of shards."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypedDict, cast

from hypothesis import strategies as st

from ddbstream.testing._item_strategies import names, texts, values
from ddbstream.testing._record_forms import FIRST_SEQUENCE_NUMBER, ViewType, json_item, key_names
from ddbstream.testing.builders import insert, modify, remove

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from ddbstream.typing import WireRecord

__all__ = ["ViewType", "WireShard", "a_batch", "a_shard_tree", "keyed_items"]

_SECONDS_A_SHARD: Final = 4 * 3600  # "about every four hours" a shard rolls over


class _Range(TypedDict, total=False):
    """Sequence numbers of a shard; one that is open has no last one."""

    StartingSequenceNumber: str
    EndingSequenceNumber: str


class WireShard(TypedDict, total=False):
    """A shard in `DescribeStream`'s answer; ``ParentShardId`` is absent where it has no parent."""

    ShardId: str
    ParentShardId: str
    SequenceNumberRange: _Range


class _Item(NamedTuple):
    """An item of the table: its class, its key attributes, and its image if it is there now."""

    kind: type
    keys: dict[str, Any]
    image: dict[str, Any] | None


@st.composite
def a_batch(
    draw: DrawFn,
    images: SearchStrategy[Any],
    *,
    keys: Sequence[str] | None,
    table_name: str | None,
    view_type: ViewType,
    sizes: tuple[int, int],
) -> list[WireRecord]:
    """A batch; arguments as for `ddbstream.testing.strategies.batches`."""
    table: dict[str, _Item] = {}
    made: list[WireRecord] = []
    wanted = draw(st.integers(*sizes))
    while len(made) < wanted:
        drawn = draw(images)
        kind, image = type(drawn), cast("dict[str, Any]", dict(json_item(drawn)))
        table_name = table_name or ("Table" if isinstance(drawn, Mapping) else kind.__name__)
        name, item = _item_for(
            draw, table, kind, {one: image[one] for one in key_names(drawn, image, keys)}
        )
        image |= item.keys
        fields: Any = {
            "keys": list(item.keys),
            "table_name": table_name,
            "view_type": view_type,
            "sequence_number": str(FIRST_SEQUENCE_NUMBER + len(made) + 1),
        }
        if item.image is None and (name in table or draw(st.integers(0, 2))):
            made.append(insert(image, **fields))
            table[name] = item._replace(image=image)
            continue
        old = item.image
        if old is None:  # it was there before the batch
            other = draw(images)
            old, image = image, {**json_item(other), **item.keys} if type(other) is kind else image
        by_ttl: bool = draw(st.booleans())
        if old == image or draw(st.booleans()):
            made.append(remove(old, ttl=by_ttl, **fields))
            table[name] = item._replace(image=None)
        else:
            made.append(modify(old, image, **fields))
            table[name] = item._replace(image=image)
    return made


def _item_for(
    draw: DrawFn, table: Mapping[str, _Item], kind: type, keys: dict[str, Any]
) -> tuple[str, _Item]:
    """One of the items so far, of the same class, or the one that has these keys."""
    known = [name for name, item in table.items() if item.kind is kind]
    again: bool = draw(st.booleans())
    if known and again:
        name: str = draw(st.sampled_from(known))
        return name, table[name]
    own = json.dumps(keys, sort_keys=True)
    return own, table.get(own, _Item(kind, keys, None))


def keyed_items() -> SearchStrategy[dict[str, Any]]:
    """Items whose key attribute ``PK`` holds what a key can: text that is not empty."""
    others = st.dictionaries(names(), values(), max_size=4)
    return st.builds(lambda item, key: {**item, "PK": key}, others, texts(min_size=1))


@st.composite
def a_shard_tree(draw: DrawFn, max_shards: int) -> list[WireShard]:
    """A tree; see `ddbstream.testing.strategies.shard_trees`."""
    made: list[WireShard] = []
    clock = FIRST_SEQUENCE_NUMBER

    def opened(parent: str | None) -> WireShard:
        at = (clock - FIRST_SEQUENCE_NUMBER) * _SECONDS_A_SHARD * 1000
        shard: WireShard = {
            "ShardId": f"shardId-{1_700_000_000_000 + at:020d}-{len(made):08x}",
            "SequenceNumberRange": {"StartingSequenceNumber": f"{clock}{len(made):03d}"},
        }
        if parent is not None:
            shard["ParentShardId"] = parent
        made.append(shard)
        return shard

    leaves = [
        opened(f"shardId-{1_600_000_000_000:020d}-{root:08x}" if draw(st.booleans()) else None)
        for root in range(draw(st.integers(1, min(4, max_shards))))
    ]
    for _ in range(draw(st.integers(0, 6))):
        closing = draw(st.sampled_from(leaves))
        numbers = closing["SequenceNumberRange"]
        numbers["EndingSequenceNumber"] = f"{clock}{draw(st.integers(900, 999))}"
        leaves.remove(closing)
        clock += 1
        # None while the shard has just closed, one when it rolled over, two when it split.
        children = min(draw(st.sampled_from([1, 1, 2, 0])), max_shards - len(made))
        leaves += [opened(closing["ShardId"]) for _ in range(children)]
        if not leaves:
            break
    return draw(st.permutations(made))
