"""The poller without clock, client or thread. Values go in and come out; nothing here blocks.

From the bottom: ``positions``, ``commands`` (what the core asks for, with the table of who does
it), ``events`` and ``policies`` are plain values. ``shard`` is what is known of one shard, and
``shared`` of the stream. ``lineage`` is the tree of shards, ``discovery`` when it is listed anew,
``start`` and ``lease`` the consumer's place in the store, ``reading`` and ``delivery`` the two
halves of a record's way. ``core`` puts them together.
"""

from __future__ import annotations
