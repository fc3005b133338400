"""What an error of a diff says besides what is wrong: of which record, and in which of its images.

A diff looks at its values when asked for them, far from the record that it came from. So it knows
where its images come from, and its errors are told that on their way out. Which image is at fault
is found by reading them again: what reads without a fault pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from ddbstream.exceptions import DDBStreamError, DecodeError, DiffError

if TYPE_CHECKING:
    from typing import Concatenate, ParamSpec, TypeVar

    from ddbstream._diff.edits import Diff
    from ddbstream._model import Codec

    P = ParamSpec("P")
    R = TypeVar("R")

__all__ = ["Source", "Sources", "explained", "explaining", "in_images"]

Source = tuple[str, Mapping[str, Any], Mapping[str, Any]]
"""Where an image is from: its name, the record's wire mapping, and the change in that."""

Sources = tuple["Source | None", "Source | None"]
"""Where the old and the new image of a diff are from."""

Image = tuple[Any, "Codec[Any] | None"]


def explaining(method: Callable[Concatenate[Diff, P], R]) -> Callable[Concatenate[Diff, P], R]:
    """A method of `Diff` whose errors are `explained`."""

    @wraps(method)
    def call(diff: Diff, /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(diff, *args, **kwargs)
        except (DDBStreamError, RecursionError) as error:
            raise explained(diff, error) from None

    return call


def explained(diff: Diff, error: DDBStreamError | RecursionError) -> DDBStreamError:
    """The error to raise instead: it says where, as far as the diff knows."""
    if isinstance(error, RecursionError):
        error = DiffError("nested too deeply")
    if diff._guessed and isinstance(error, DecodeError) and "wire=False" not in error.problem:
        problem = error.problem or f"expected {error.expected}, got {error.found}"
        error.problem = f"{problem} (wire=False is for Python items that look like wire items)"
    images = (diff._old, diff._old_codec), (diff._new, diff._new_codec)
    return in_images(error, images, diff._sources)


def in_images(
    error: DDBStreamError, images: Sequence[Image], sources: Sources | None
) -> DDBStreamError:
    """The error, told of the record, and of the image if an image is at fault."""
    if sources is None or error.event_id or error.sequence_number:  # or told already
        return error
    side = _side_at_fault(error, images) if isinstance(error, DecodeError) else None
    if side is not None:
        source = sources[side]
        return error if source is None else error.located(source[0], **_ids(source))
    old, new = sources
    if old is not None and new is not None and old[1] is new[1]:
        error.located(**_ids(old))
    return error


def _ids(source: Source) -> dict[str, Any]:
    _, raw, change = source
    found = {"event_id": raw.get("eventID"), "sequence_number": change.get("SequenceNumber")}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _side_at_fault(error: DecodeError, images: Sequence[Image]) -> int | None:
    """The image that cannot be read for that reason: 0 the old one, 1 the new one."""
    # From what is surely this fault to what is another one of the same attribute.
    for is_fault in (_is_of_model, _is_there, _is_in_attribute):
        for side, (image, codec) in enumerate(images):
            if isinstance(image, Mapping) and is_fault(error, image, codec):
                return side
    return None


def _is_of_model(error: DecodeError, image: Any, codec: Codec[Any] | None) -> bool:
    try:
        if codec is not None:
            codec.decode(image)
    except DDBStreamError as found:
        return error.path in [found.path, *(each.path for each in found.errors)]
    return False


def _is_there(error: DecodeError, image: Any, _: Codec[Any] | None) -> bool:
    from ddbstream._diff.forms import WIRE, within
    from ddbstream._diff.values import ABSENT

    parts = _parts(error)
    for depth in range(len(parts), 0, -1):
        value = within(WIRE, {"M": image}, parts[:depth])
        if value is not ABSENT:
            return not _is_readable(value)
    return False


def _is_in_attribute(error: DecodeError, image: Any, _: Codec[Any] | None) -> bool:
    parts = _parts(error)
    return bool(parts) and parts[0] in image and not _is_readable(image[parts[0]])


def _parts(error: DecodeError) -> tuple[str | int, ...]:
    from ddbstream._values.paths import parse_path

    try:
        return parse_path(error.path or "")
    except DiffError:
        return ()


def _is_readable(value: Any) -> bool:
    from ddbstream._values.attribute_values import from_attribute_value

    try:
        from_attribute_value(value)
    except DDBStreamError:
        return False
    return True
