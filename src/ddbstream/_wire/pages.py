"""Records that are made when they are asked for: what a host may hand on in place of a list."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._records import Origin, StreamRecord

__all__ = ["Page", "Unmade"]


class Unmade(ABC):
    """Records that nobody has made yet."""

    __slots__ = ()

    @abstractmethod
    def records(self, origin: Origin, codec: Codec[Any]) -> Iterator[StreamRecord[Any]]:
        """The records, each made when it is asked for.

        Args:
            origin: Where they come from, if they do not say it themselves.
            codec: Reads the images.
        """


class Page(Unmade, Sequence[Mapping[str, Any]]):
    """Wire records of which each is read when it is asked for."""

    __slots__ = ()

    @property
    @abstractmethod
    def size(self) -> int:
        """Bytes that it keeps."""

    @abstractmethod
    def sequence_numbers(self) -> list[str | None]:
        """Of each record."""

    @abstractmethod
    def view(self, index: int) -> Mapping[str, Any]:
        """A record of which single members are read; what asks for all of it reads it whole."""
