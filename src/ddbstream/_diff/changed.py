"""What a route's ``changed=`` says: a test of two wire images, without decoding what is equal.

Plain text is a path, a tuple of texts is any of them; `any_of`, `all_of` and `none_of` combine
paths and each other; `transition` looks at the values. A path starts with a field's name where the
route's model has such a field, else with an attribute's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from ddbstream._diff.compare import at, changed_between
from ddbstream._diff.values import ABSENT, is_set, same
from ddbstream._values.attribute_values import from_attribute_value, to_attribute_value
from ddbstream._values.paths import Parts, Path, parse_path
from ddbstream.exceptions import DDBStreamError, DiffError, EncodeError

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._model.key_templates import KeyTemplate

__all__ = ["ChangeFilter", "Changed", "all_of", "any_of", "change_filter", "none_of", "transition"]

Image = Mapping[str, Any] | None

_Place = tuple[Parts, "KeyTemplate | None", str]
"""As the model's ``Place``: a path in attribute names, and the key that the field is a part of."""


@runtime_checkable
class ChangeFilter(Protocol):
    """A test of a change, on the wire form.

    Attributes:
        paths: The paths that it looks at, as they were written.
    """

    paths: tuple[Path, ...]

    def matches(self, old: Image, new: Image, codec: Codec[Any] | None = None) -> bool:
        """Whether the change from ``old`` to ``new`` passes.

        Args:
            old: The wire image before; ``None`` where there was no item.
            new: The wire image after; ``None`` where there is none.
            codec: The route's model: what field names mean.

        Raises:
            DecodeError: A value that differs is malformed.
        """
        ...


Changed = str | ChangeFilter | Iterable[str | ChangeFilter]
"""What ``changed=`` takes."""


def change_filter(changed: Changed) -> ChangeFilter:
    """The filter that ``changed=`` describes.

    Raises:
        DiffError: It is no path, tuple of paths, or filter.
    """
    if isinstance(changed, str):
        return _At(changed)
    if isinstance(changed, ChangeFilter):
        return changed
    if isinstance(changed, Iterable):
        return any_of(*changed)
    raise DiffError(
        expected="a path, a tuple of paths, or any_of, all_of, none_of or transition",
        found=type(changed).__name__,
    )


class _At:
    """Whether the value at one path changed."""

    __slots__ = ("_seen", "paths")

    def __init__(self, path: str) -> None:
        parts = parse_path(path)
        self.paths: tuple[Path, ...] = (Path.of(parts),)
        # A route has one codec, so the last one asked about is nearly always the next one too.
        self._seen: tuple[Codec[Any] | None, Sequence[_Place]] = (None, [(parts, None, "")])

    def places(self, codec: Codec[Any] | None) -> Sequence[_Place]:
        """The places that the path means in a model."""
        seen = self._seen
        if seen[0] is not codec:
            parts = self.paths[0].parts
            without_model = codec is None or codec.model is None
            found = [(parts, None, "")] if without_model else codec.places(parts)  # type: ignore[union-attr]
            seen = self._seen = (codec, found)
        return seen[1]

    def matches(self, old: Image, new: Image, codec: Codec[Any] | None = None) -> bool:
        seen = self._seen
        places = seen[1] if seen[0] is codec else self.places(codec)
        for place in places:
            if changed_between(old, new, place[0]) and (
                place[1] is None or not _is_same_part(old, new, place)
            ):
                return True
        return False

    def __repr__(self) -> str:
        return repr(self.paths[0])


def _is_same_part(old: Image, new: Image, place: _Place) -> bool:
    """Whether two keys that differ have the same text for a field in them."""
    parts, template, field = place
    assert template is not None
    texts = []
    for image in (old, new):
        found = at(image, parts)
        text = found.get("S") if isinstance(found, Mapping) else None
        matched = template.match(text) if isinstance(text, str) else None
        if matched is None:
            return False
        texts.append(matched[template.fields.index(field)])
    return bool(texts[0] == texts[1])


class _Some:
    """Any, all or none of several filters."""

    __slots__ = ("_filters", "_name", "paths")

    def __init__(self, name: str, changed: tuple[Changed, ...]) -> None:
        if not changed:
            raise DiffError(f"{name} needs at least one path")
        self._name = name
        self._filters = tuple(map(change_filter, changed))
        self.paths = tuple([path for each in self._filters for path in each.paths])

    def matches(self, old: Image, new: Image, codec: Codec[Any] | None = None) -> bool:
        if self._name == "all_of":
            return all(each.matches(old, new, codec) for each in self._filters)
        found = any(each.matches(old, new, codec) for each in self._filters)
        return found is (self._name == "any_of")

    def __repr__(self) -> str:
        return f"{self._name}({', '.join(map(repr, self._filters))})"


def any_of(*changed: Changed) -> ChangeFilter:
    """Passes a change of at least one of these: what a tuple means too."""
    return _Some("any_of", changed)


def all_of(*changed: Changed) -> ChangeFilter:
    """Passes a change of every one of these."""
    return _Some("all_of", changed)


def none_of(*changed: Changed) -> ChangeFilter:
    """Passes a change that leaves every one of these as it was."""
    return _Some("none_of", changed)


class _Transition:
    """Whether the value at one path changed, from one value, to another."""

    __slots__ = ("_at", "_now", "_was", "paths")

    def __init__(self, path: str, was: Any, now: Any) -> None:
        self._at = _At(path)
        self.paths: tuple[Path, ...] = self._at.paths
        self._was = None if was is ... else _Value(was)
        self._now = None if now is ... else _Value(now)

    def matches(self, old: Image, new: Image, codec: Codec[Any] | None = None) -> bool:
        places = self._at.places(codec)
        return (
            (self._was is None or self._was.is_in(old, places, codec))
            and (self._now is None or self._now.is_in(new, places, codec))
            and self._at.matches(old, new, codec)
        )

    def __repr__(self) -> str:
        # The values are left out: they are the user's data as much as an item's are.
        said = [f"{name}=" for name in ("was", "now") if getattr(self, f"_{name}") is not None]
        return f"transition({', '.join((repr(self._at), *said))})"


class _Value:
    """One value that a `transition` waits for."""

    __slots__ = ("_value", "_wire")

    def __init__(self, value: Any) -> None:
        self._value = value
        inner = value.value if isinstance(value, Enum) else value
        try:
            self._wire = None if inner is None else to_attribute_value(inner)
        except EncodeError:
            # A UUID, a datetime: how it is stored, the model knows.
            self._wire = None

    def is_in(self, item: Image, places: Sequence[_Place], codec: Codec[Any] | None) -> bool:
        """Whether it is at one of the places that mean it; nothing has to be at none of them."""
        found = (self.is_at(item, place, codec) for place in places)
        return all(found) if self._value is None else any(found)

    def is_at(self, item: Image, place: _Place, codec: Codec[Any] | None) -> bool:
        parts, template, _ = place
        found = at(item, parts)
        if self._value is None:
            return found is ABSENT or (isinstance(found, Mapping) and "NULL" in found)
        if found is ABSENT and not self._may_be_left_out:
            return False
        if self._wire is not None and template is None and found is not ABSENT:
            if found == self._wire:
                return True
            is_same = same(self._read(found, parts), from_attribute_value(self._wire))
            # A list may be stored as a set, a dict's names may be others: the model knows.
            if is_same or "NULL" in found or not self._has_members:
                return is_same
        if item is None or codec is None or codec.model is None:
            return False
        typed = codec.field_at(codec.decode(item), place, ABSENT)
        return bool(
            typed == self._value or (isinstance(typed, Enum) and typed.value == self._value)
        )

    @property
    def _has_members(self) -> bool:
        return self._wire is not None and not {"M", "L"}.isdisjoint(self._wire)

    @property
    def _may_be_left_out(self) -> bool:
        """Whether a model may store it by no attribute at all: an empty set, a list as one."""
        return self._wire == {"L": []} or (is_set(self._value) and not self._value)

    @staticmethod
    def _read(found: Any, parts: Parts) -> Any:
        try:
            return from_attribute_value(found)
        except DDBStreamError as error:
            raise error.located(Path.of(parts)) from None


_ANY: Final[Any] = ...


def transition(path: str, was: Any = _ANY, now: Any = _ANY) -> ChangeFilter:
    """Passes a change at a path from one value to another.

    ``transition("status", "PAID", "SHIPPED")`` is for a status that was PAID and now is SHIPPED.

    Args:
        path: A document path.
        was: The value before; any value, if not given.
        now: The value after; any value, if not given.

    Values compare as DynamoDB's do: ``1`` is ``1.0`` and not ``"1"``. An enum member stands for its
    value. ``None`` is NULL and "no such attribute" alike, since a model cannot tell them apart
    either. A value that only the route's model can store (a UUID, a datetime), or stores as another
    type (a list as a set, an empty set as no attribute), is compared with what the model reads.
    """
    return _Transition(path, was, now)
