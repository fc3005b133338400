"""Lines of exports that stay JSON text until somebody reads them. Needs msgspec.

As in `ddbstream._wire.unread`: what is unusual raises `ValueError`, and is read with `json`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from ddbstream._wire.unread import ChangeMembers, RecordMembers, UnreadChange, UnreadRecord, checked
from ddbstream._wire.unread_image import find, is_map_text, read

__all__ = ["unread_line"]


class _Line(Struct, gc=False, forbid_unknown_fields=True):
    Item: Raw | UnsetType = UNSET
    Keys: Raw | UnsetType = UNSET
    Metadata: dict[str, Any] | UnsetType = UNSET
    NewImage: Raw | UnsetType = UNSET
    OldImage: Raw | UnsetType = UNSET


_read_line = msgspec.json.Decoder(_Line).decode


class _LineChange(UnreadChange):
    """The ``dynamodb`` of a line of an export, whose keys are among the attributes of its item."""

    __slots__ = ("_keys",)

    def __init__(self, record: UnreadLine, members: ChangeMembers, keys: Sequence[str]) -> None:
        super().__init__(record, members)
        self._keys = keys

    def __getitem__(self, name: str) -> Any:
        if name != "Keys" or not self._keys:
            return super().__getitem__(name)
        found = {key: find(self._members.NewImage, key) for key in self._keys}
        return {key: read(text) for key, text in found.items() if text is not None}


class UnreadLine(UnreadRecord):
    """The record that a line of an export stands for.

    Args:
        entry: What was read of it.
        keys: The names of the table's keys, if they are known.
        make: Makes the whole of it.
    """

    __slots__ = ("_keys", "_make")

    def __init__(
        self, entry: RecordMembers, keys: Sequence[str], make: Callable[[], dict[str, Any]]
    ) -> None:
        super().__init__((), 0, entry)
        self._keys = keys
        self._make = make

    @property
    def change(self) -> UnreadChange:
        members = self._entry.dynamodb
        return _LineChange(self, members, self._keys) if self._keys else UnreadChange(self, members)

    def parsed(self) -> dict[str, Any]:
        if self._parsed is None:
            self._parsed = self._make()
        return self._parsed


def unread_line(
    text: bytes, known: Mapping[str, Any], keys: Sequence[str], make: Callable[[], dict[str, Any]]
) -> UnreadLine:
    """The record that a line of a full export stands for.

    Args:
        text: The line.
        known: What the export says of every line, in the names of a stream record's ``dynamodb``.
        keys: The names of the table's keys, if they are known.
        make: Makes the record's whole wire mapping.

    Raises:
        ValueError: It is no such line, or one with something unusual.
    """
    line = checked(_read_line, text)
    item = line.Item
    no_other = line.Keys is line.Metadata is line.NewImage is line.OldImage is UNSET
    if item is UNSET or not no_other or not is_map_text(item):
        raise ValueError
    change = ChangeMembers(NewImage=item)
    change.ApproximateCreationDateTime = known.get("ApproximateCreationDateTime", UNSET)
    return UnreadLine(RecordMembers("INSERT", change), keys, make)
