"""The three changes that a stream record can be, and the record that is none of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, final

from ddbstream._model import codec_for
from ddbstream._records.origin import Origin, UserIdentity
from ddbstream._records.stream_record import StreamRecord, T_co
from ddbstream._values.json_values import Unread, is_map

if TYPE_CHECKING:
    from ddbstream.exceptions import DDBStreamError

__all__ = [
    "EVENTS",
    "Change",
    "Insert",
    "MalformedRecord",
    "Modify",
    "Origin",
    "Remove",
    "StreamRecord",
    "UserIdentity",
]


@final
class Insert(StreamRecord[T_co]):
    """A new item. ``match`` as ``Insert(new)``."""

    __slots__ = ()
    __match_args__ = ("new",)

    @property
    def new(self) -> T_co:
        """The item as written.

        Raises:
            MissingImageError: The stream's view type does not carry new images.
            DecodeError: The image does not fit the model.
        """
        if self._new is None:
            self._new = self._decode("NewImage")
        return self._new

    def _images(
        self, *, views: bool = False
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        return None, self._image("NewImage", view=views)


@final
class Modify(StreamRecord[T_co]):
    """A changed item. ``match`` as ``Modify(old, new)``."""

    __slots__ = ()
    __match_args__ = ("old", "new")

    @property
    def old(self) -> T_co:
        """The item before the change.

        Raises:
            MissingImageError: The stream's view type does not carry old images.
            DecodeError: The image does not fit the model.
        """
        if self._old is None:
            self._old = self._decode("OldImage")
        return self._old

    @property
    def new(self) -> T_co:
        """The item after the change.

        Raises:
            MissingImageError: The stream's view type does not carry new images.
            DecodeError: The image does not fit the model.
        """
        if self._new is None:
            self._new = self._decode("NewImage")
        return self._new

    def _images(
        self, *, views: bool = False
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        change = self._change
        if views and type(change) is not dict and isinstance(change, Unread):
            old, new = change.view("OldImage"), change.view("NewImage")
            if isinstance(old, Unread) and isinstance(new, Unread):
                return old, new
        return self._image("OldImage", view=views), self._image("NewImage", view=views)


@final
class Remove(StreamRecord[T_co]):
    """A deleted item. ``match`` as ``Remove(old)``."""

    __slots__ = ()
    __match_args__ = ("old",)

    @property
    def old(self) -> T_co:
        """The item before it was deleted.

        Raises:
            MissingImageError: The stream's view type does not carry old images.
            DecodeError: The image does not fit the model.
        """
        if self._old is None:
            self._old = self._decode("OldImage")
        return self._old

    def _images(
        self, *, views: bool = False
    ) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
        return self._image("OldImage", view=views), None


Change = Insert[T_co] | Modify[T_co] | Remove[T_co]
"""Any of the three changes, for a handler of them all: ``Change[Product]``."""


EVENTS: Final[Mapping[str, type[StreamRecord[Any]]]] = {
    "INSERT": Insert,
    "MODIFY": Modify,
    "REMOVE": Remove,
}
"""The class of each ``eventName``; every list of events or classes is made from this one."""


@final
class MalformedRecord(StreamRecord[Any]):
    """A record that is none of the three: ``error`` says why. No handler ever sees one."""

    __slots__ = ("error",)

    def __init__(self, raw: Mapping[str, Any], origin: Origin, error: DDBStreamError) -> None:
        change = raw.get("dynamodb")
        super().__init__(raw, change if is_map(change) else {}, origin, codec_for(None))
        self.error = self._located(error)
