"""What every kind of annotation can do: the node protocol, and the errors that reading notes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from ddbstream._model.roads import DICTS
from ddbstream._model.source import Emitter
from ddbstream._values.attribute_values import check_depth
from ddbstream._values.tags import MAX_DEPTH, TAGS, Unreadable, decode_error, tag_words, type_words
from ddbstream.exceptions import DDBStreamError, EncodeError

if TYPE_CHECKING:
    from ddbstream._model.roads import Road, Structs
    from ddbstream._values.paths import Parts

#: What a node's ``read`` returns where it noted an error instead.
FAILED: Final[Any] = type("Failed", (), {"__repr__": lambda _: "FAILED"})()

#: Errors noted for one item at most: a list of a million wrong members is one mistake.
MAX_ERRORS = 100


class ReadErrors:
    """The errors found in one item so far."""

    def __init__(self) -> None:
        self.found: list[DDBStreamError] = []

    def note(self, path: Parts, expected: str, found: str) -> Any:
        """Note what was expected and found at a path; returns FAILED."""
        return self.add(decode_error(path, expected, found))

    def add(self, error: DDBStreamError) -> Any:
        """Note an error that knows its path; returns FAILED."""
        if len(self.found) < MAX_ERRORS:
            self.found.append(error)
        return FAILED

    def as_one(self) -> DDBStreamError:
        """One error for all that were found: the first, which knows the others."""
        first = self.found[0]
        if len(self.found) == 1:
            return first
        return type(first)(
            first.problem,
            path=first.path,
            expected=first.expected,
            found=first.found,
            errors=self.found,
        )


def raised(error: BaseException) -> str:
    """What the user's code raised: class and place, but not its text, which may hold values.

    For the same reason no error has such an exception as its cause: a traceback would print it.
    """
    place = error.__traceback__
    assert place is not None  # it has been caught
    while place.tb_next is not None:
        place = place.tb_next
    file = place.tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{type(error).__name__} ({file}:{place.tb_lineno})"


class Node:
    """One annotation, planned: reads, writes, and emits the code that reads quickly.

    ``read`` defines what is read. The code that ``emit`` writes reads the usual input alike, and
    raises for the rest.

    Attributes:
        tags: The wire tags that ``read`` takes.
        words: What an error says was expected.
        has_text: Whether ``from_text`` and ``to_text`` work: in map keys and key templates.
        is_shared: Whether it occurs more than once, by its name. Its code is a function then; the
            code of what occurs once is in place.
    """

    tags: frozenset[str] = TAGS
    words: str = "any attribute value"
    has_text: bool = False
    is_shared: bool = False

    def occurs_again(self) -> None:
        """Note that a named annotation of this node occurs once more."""

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        """Read an attribute value, or note the error and return ``FAILED``."""
        raise NotImplementedError

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        """Write a value inside ``depth`` containers; raises EncodeError, relative to it."""
        raise NotImplementedError

    def emit(self, e: Emitter, source: str, target: str) -> None:
        """Emit lines that read the attribute value in ``source`` into ``target``."""
        e.line(f"{target} = {e.const(_reader(self), 'read')}({source})")

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        """For each tag that ``emit_tagged`` reads, the type that msgspec reads its payload as.

        None: the code of ``emit`` reads dicts.
        """
        return None

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        """Emit lines that read the payload of a tag into ``target``; members by their road."""
        raise NotImplementedError

    def holds(self, value: Any) -> bool:
        """Whether a Python value is of this kind: how writing picks a union's alternative."""
        raise NotImplementedError

    def left_out(self, value: Any) -> bool:
        """Whether DynamoDB cannot store this value, so that a field may leave it out."""
        return False

    def absent(self) -> Callable[[], Any] | None:
        """What makes the value of an absent attribute without a default; None: it is required."""
        return None

    def from_text(self, text: str) -> Any:
        """The value that ``to_text`` wrote; raises ValueError."""
        raise NotImplementedError

    def to_text(self, value: Any) -> str:
        """A value as text; raises EncodeError."""
        raise NotImplementedError

    def emit_text(self, e: Emitter, text: str, target: str) -> None:
        """Emit lines that read a part of a key into ``target``, if it would be written the same."""
        e.line(f"{target} = {e.const(self.from_text, 'from_text')}({text})")
        e.refuse_if(f"{e.const(self.to_text, 'to_text')}({target}) != {text}")

    def mismatch(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        """Note that another tag was found; returns FAILED."""
        return errors.note(path, self.words, tag_words(value))

    def refuse(self, value: Any) -> EncodeError:
        """The error for a value of another kind."""
        return EncodeError(expected=self.words, found=type(value).__name__)


def _reader(node: Node) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        made = node.read(value, (), ReadErrors())
        if made is FAILED:
            raise Unreadable
        return made

    return read


class MapNode(Node):
    """A kind that is an ``M`` and nothing else, and so can be a whole item."""

    tags = frozenset({"M"})
    words = "M"

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        if tag_words(value) != "M":
            return self.mismatch(value, path, errors)
        return self.read_map(value["M"], path, errors)

    def read_map(self, item: Any, path: Parts, errors: ReadErrors) -> Any:
        """Read a map's members, or note the errors and return ``FAILED``."""
        raise NotImplementedError

    def sound_map(self, item: Any, path: Parts, errors: ReadErrors) -> bool:
        """Whether it is a map, and not nested too deep; else the error is noted."""
        if not isinstance(item, Mapping):
            errors.note(path, "a map of attribute values", type_words(item))
        elif len(path) > MAX_DEPTH:
            errors.note(path, f"at most {MAX_DEPTH} levels", "more")
        else:
            return True
        return False

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        check_depth(depth)
        return {"M": self.write_map(value, json, depth + 1)}

    def write_map(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        """Write the members of a map, which are inside ``depth`` containers; raises EncodeError."""
        raise NotImplementedError

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.single(source)
        self.emit_tagged(e, "M", f'{source}["M"]', target, DICTS)

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        item = e.var("m")
        e.line(f"{item} = {payload}")
        with e.deeper():
            self.emit_map(e, item, target, road)

    def emit_map(self, e: Emitter, item: str, target: str, road: Road = DICTS) -> None:
        """Emit lines that read the map in ``item``, members ``e.depth`` deep, into ``target``."""
        raise NotImplementedError
