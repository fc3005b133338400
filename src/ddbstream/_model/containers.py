"""Lists, tuples, sets and maps of other kinds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from ddbstream._model.nodes import FAILED, MapNode, Node, ReadErrors
from ddbstream._model.roads import DICTS
from ddbstream._model.scalars import Scalar
from ddbstream._model.source import Emitter
from ddbstream._values.attribute_values import check_depth, empty_name, empty_set
from ddbstream._values.tags import MAX_DEPTH, placed, tag_words, type_words
from ddbstream.exceptions import EncodeError

if TYPE_CHECKING:
    from ddbstream._model.roads import Road, Structs
    from ddbstream._values.paths import Parts

Make = Callable[[Any], Any]


def write_part(node: Node, part: str | int, value: Any, json: bool, depth: int) -> dict[str, Any]:
    """Write one member; an EncodeError has the member's place in its path."""
    try:
        return node.write(value, json, depth)
    except EncodeError as error:
        placed(error, part)
        raise


class Container(Node):
    """A kind of one tag whose payload holds other values.

    Attributes:
        tag: The wire tag.
    """

    tag = "L"

    def __init__(self) -> None:
        self.tags = frozenset({self.tag})
        self.words = self.tag

    def occurs_again(self) -> None:
        self.is_shared = True

    def payload(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        """The members of a value of this tag, or FAILED."""
        if tag_words(value) != self.tag:
            return self.mismatch(value, path, errors)
        payload = value[self.tag]
        if self.tag == "L" and len(path) > MAX_DEPTH:
            return errors.note(path, f"at most {MAX_DEPTH} levels", "more")
        kinds = (list, tuple) if self.tag == "L" else (list, tuple, set, frozenset)
        if isinstance(payload, kinds):
            return payload
        return errors.note(path, f"a list in {self.tag}", type_words(payload))

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.single(source)
        self.emit_tagged(e, self.tag, f'{source}["{self.tag}"]', target, DICTS)

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        if e.crowded or self.is_shared:
            function = e.helper(
                road.owner(self), "list", lambda value, made: self._emit(e, value, made, road)
            )
            e.line(f"{target} = {function}({payload}, {e.depth})")
            return
        self._emit(e, payload, target, road)

    def _emit(self, e: Emitter, payload: str, target: str, road: Road) -> None:
        members = e.var("l")
        e.line(f"{members} = {payload}")
        e.check_type(members, "list")
        self.emit_members(e, members, target, road)

    def emit_members(self, e: Emitter, members: str, target: str, road: Road) -> None:
        """Emit lines that make the value from the list of the payload's members."""
        raise NotImplementedError


class ListNode(Container):
    """``list[T]``, ``tuple[T, ...]`` and the abstract forms: an ``L``.

    Args:
        inner: The node of the members.
        make: Makes the value from a list; None: the value is a list.
        kind: The type that can be written.
    """

    def __init__(self, inner: Node, make: Make | None, kind: type) -> None:
        super().__init__()
        self.inner, self.make, self.kind = inner, make, kind
        self._strangers: tuple[type, ...] = (str, bytes, bytearray, memoryview)
        if kind in (Iterable, Collection):
            # An iterator is used up when it is written, and gone from the instance that holds it;
            # of a map the values are lost; a set has no order, and is none when it is read.
            self._strangers += (Iterator, Mapping, AbstractSet)

    def occurs_again(self) -> None:
        self.is_shared = not isinstance(self.inner, Scalar)

    @property
    def is_abstract(self) -> bool:
        """Whether the annotation leaves the type of sequence open."""
        return self.make is None and self.kind is not list

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        payload = self.payload(value, path, errors)
        if payload is FAILED:
            return FAILED
        members = [self.inner.read(v, (*path, i), errors) for i, v in enumerate(payload)]
        if any(member is FAILED for member in members):
            return FAILED
        return self.make(members) if self.make else members

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not self.holds(value):
            raise EncodeError(expected=self.kind.__name__, found=type(value).__name__)
        check_depth(depth)
        members = enumerate(value)
        return {"L": [write_part(self.inner, i, v, json, depth + 1) for i, v in members]}

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        return {"L": list[structs.shape(self.inner)]}  # type: ignore[misc] # made here

    def emit_members(self, e: Emitter, members: str, target: str, road: Road) -> None:
        member, read = e.var("v"), e.var("x")
        e.line(f"{target} = []")
        with e.block(f"for {member} in {members}:"), e.deeper():
            road.read(e, self.inner, member, read)
            e.line(f"{target}.append({read})")
        if self.make:
            e.line(f"{target} = {e.const(self.make, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.kind) and not isinstance(value, self._strangers)


class SetNode(Container):
    """``set[T]`` and ``frozenset[T]`` of text, numbers or binaries: ``SS``, ``NS`` or ``BS``."""

    def __init__(self, inner: Scalar, make: type) -> None:
        self.tag = f"{inner.tag}S"
        super().__init__()
        self.inner, self.make = inner, make

    def occurs_again(self) -> None:
        pass  # its code is short

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        payload = self.payload(value, path, errors)
        if payload is FAILED:
            return FAILED
        members = [
            self.inner.read_payload(self.inner.tag, v, (*path, i), errors)
            for i, v in enumerate(payload)
        ]
        return FAILED if any(member is FAILED for member in members) else self.make(members)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not isinstance(value, (set, frozenset)):
            raise EncodeError(expected=self.make.__name__, found=type(value).__name__)
        if not value:
            raise empty_set()
        if not self.holds(value):
            stranger = next(member for member in value if not self.inner.holds(member))
            found = f"one with a member of {type(stranger).__name__}"
            raise EncodeError(expected=f"a {self.make.__name__} of {self.inner.words}", found=found)
        return {self.tag: [self.inner.unparse(member, json) for member in value]}

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        if self.inner.native is not None and not self.inner.has_check:
            return {self.tag: self.make[self.inner.native]}  # type: ignore[index] # made here
        return {self.tag: list[self.inner.json]}  # type: ignore[name-defined] # made here

    def _emit(self, e: Emitter, payload: str, target: str, road: Road) -> None:
        if e.typed and self.inner.native is not None and not self.inner.has_check:
            e.line(f"{target} = {payload}")
        else:
            super()._emit(e, payload, target, road)

    def emit_members(self, e: Emitter, members: str, target: str, road: Road) -> None:
        self.inner.emit_many(e, members, target)
        e.line(f"{target} = {e.const(self.make, self.make.__name__)}({target})")

    def absent(self) -> Callable[[], Any]:
        return self.make

    def left_out(self, value: Any) -> bool:
        return isinstance(value, (set, frozenset)) and not value

    def holds(self, value: Any) -> bool:
        # members distinguish set[str] from set[int] in a union; an empty set fits any
        return isinstance(value, (set, frozenset)) and all(self.inner.holds(v) for v in value)


class TupleNode(Container):
    """``tuple[int, str]``: an ``L`` of exactly these members."""

    def __init__(self, inners: Collection[Node]) -> None:
        super().__init__()
        self.inners = tuple(inners)

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        payload = self.payload(value, path, errors)
        if payload is FAILED:
            return FAILED
        if len(payload) != len(self.inners):
            return errors.note(path, f"{len(self.inners)} members in L", str(len(payload)))
        parts = enumerate(zip(self.inners, payload, strict=True))
        members = [node.read(v, (*path, i), errors) for i, (node, v) in parts]
        return FAILED if any(member is FAILED for member in members) else tuple(members)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not isinstance(value, tuple):
            raise EncodeError(expected="tuple", found=type(value).__name__)
        if len(value) != len(self.inners):
            raise EncodeError(expected=f"a tuple of {len(self.inners)}", found=str(len(value)))
        check_depth(depth)
        parts = enumerate(zip(self.inners, value, strict=True))
        return {"L": [write_part(node, i, v, json, depth + 1) for i, (node, v) in parts]}

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        # A list, since the shapes of its members differ; they are read from dicts.
        return {"L": list[Any]}

    def emit_members(self, e: Emitter, members: str, target: str, road: Road) -> None:
        e.refuse_if(f"len({members}) != {len(self.inners)}")
        names = []
        with e.deeper(), e.payloads(typed=False):
            for index, node in enumerate(self.inners):
                member, read = e.var("v"), e.var("x")
                e.line(f"{member} = {members}[{index}]")
                node.emit(e, member, read)
                names.append(f"{read}, ")
        e.line(f"{target} = ({''.join(names)})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, tuple) and len(value) == len(self.inners)


class DictNode(MapNode):
    """``dict[K, T]`` and ``Mapping``: an ``M``; keys are of any kind that has a text form.

    Args:
        key: The node of the keys; None: text as it is.
        inner: The node of the members.
        make: Makes the value from a dict; None: the value is a dict.
        key_name: What errors call a key.
    """

    def __init__(self, key: Node | None, inner: Node, make: Make | None, key_name: str) -> None:
        self.key, self.inner, self.make, self.key_name = key, inner, make, key_name

    def occurs_again(self) -> None:
        self.is_shared = not isinstance(self.inner, Scalar)

    def read_map(self, item: Any, path: Parts, errors: ReadErrors) -> Any:
        if not self.sound_map(item, path, errors):
            return FAILED
        read: dict[Any, Any] = {}
        sound = True
        for name in item:
            if not isinstance(name, str):
                return errors.note(path, "text as attribute names", type_words(name))
            key = self._key(name, path, errors)
            member = self.inner.read(item[name], (*path, name), errors)
            if key is FAILED or member is FAILED:
                sound = False
            elif key in read:
                sound = errors.note((*path, name), "each key once", "another spelling") is None
            else:
                read[key] = member
        if not sound:
            return FAILED
        return self.make(read) if self.make else read

    def _key(self, name: str, path: Parts, errors: ReadErrors) -> Any:
        if self.key is None:
            return str.__str__(name)
        try:
            key = self.key.from_text(name)
            hash(key)
            return key
        except Exception:  # noqa: BLE001, S110 - whatever it raises, the key is of no such kind
            pass
        return errors.note((*path, name), f"a key that is {self.key_name}", "other text")

    def write_map(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise EncodeError(expected="dict", found=type(value).__name__)
        written: dict[str, Any] = {}
        for key, member in value.items():
            name = self.key.to_text(key) if self.key else key
            if not isinstance(name, str):
                raise EncodeError(expected="text as map keys", found=type(key).__name__)
            name = str.__str__(name)
            if not name:
                raise empty_name()
            if name in written:
                raise EncodeError("two keys are written as the same text")
            written[name] = write_part(self.inner, name, member, json, depth)
        return written

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        return {"M": dict[str, structs.shape(self.inner)]}  # type: ignore[misc] # made here

    def emit_map(self, e: Emitter, item: str, target: str, road: Road = DICTS) -> None:
        if e.crowded or self.is_shared:
            function = e.helper(
                road.owner(self), "map", lambda value, made: self._emit_map(e, value, made, road)
            )
            e.line(f"{target} = {function}({item}, {e.depth})")
        else:
            self._emit_map(e, item, target, road)

    def _emit_map(self, e: Emitter, item: str, target: str, road: Road) -> None:
        name, member, read = e.var("k"), e.var("v"), e.var("x")
        e.line(f"{target} = {{}}")
        with e.block(f"for {name}, {member} in {item}.items():"):
            road.read(e, self.inner, member, read)
            key = f"{e.const(self.key.from_text, 'key')}({name})" if self.key else name
            e.line(f"{target}[{key}] = {read}")
        if self.key:
            e.refuse_if(f"len({target}) != len({item})")
        if self.make:
            e.line(f"{target} = {e.const(self.make, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)
