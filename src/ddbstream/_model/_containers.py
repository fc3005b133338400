"""Lists, tuples, sets and maps of other kinds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._attribute_value import kind_of, path_text, tag_words
from ..exceptions import EncodeError
from ._nodes import FAULT, Faults, Node, Path
from ._scalars import Scalar
from ._source import Emitter


def write_part(node: Node, part: str | int, value: Any, json: bool) -> dict[str, Any]:
    """Write one member; its EncodeError knows the member's place."""
    try:
        return node.write(value, json)
    except EncodeError as error:
        error.located(path_text((part,)))
        raise


class _Tagged(Node):
    tag = "L"

    def __init__(self) -> None:
        self.tags = frozenset({self.tag})
        self.words = self.tag

    def payload(self, value: Any, path: Path, faults: Faults) -> Any:
        tag = tag_words(value)
        if tag not in self.tags:
            return self.mismatch(value, path, faults)
        payload = value[tag]
        if tag == "M":
            if isinstance(payload, Mapping):
                return payload
            return faults.note(path, "a map in M", kind_of(payload))
        kinds = (list, tuple) if tag == "L" else (list, tuple, set, frozenset)
        if isinstance(payload, kinds):
            return list(payload)
        return faults.note(path, f"a list in {tag}", kind_of(payload))


class ListNode(_Tagged):
    """``list[T]``, ``tuple[T, ...]`` and the abstract forms: an ``L``."""

    def __init__(self, inner: Node, make: Callable[[list[Any]], Any] | None, kinds: tuple[type, ...]) -> None:
        super().__init__()
        self.inner, self.make, self.kinds = inner, make, kinds

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        payload = self.payload(value, path, faults)
        if payload is FAULT:
            return FAULT
        members = [self.inner.read(v, (*path, i), faults) for i, v in enumerate(payload)]
        if any(member is FAULT for member in members):
            return FAULT
        return self.make(members) if self.make else members

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        if not self.holds(value):
            raise EncodeError(expected=self.kinds[0].__name__, found=type(value).__name__)
        return {"L": [write_part(self.inner, i, v, json) for i, v in enumerate(value)]}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        members, member, read = e.var("l"), e.var("v"), e.var("x")
        e.single(source)
        e.line(f'{members} = {source}["L"]')
        e.refuse_if(f"type({members}) is not list")
        e.line(f"{target} = []")
        with e.block(f"for {member} in {members}:"):
            self.inner.emit(e, member, read)
            e.line(f"{target}.append({read})")
        if self.make:
            e.line(f"{target} = {e.const(self.make, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.kinds) and not isinstance(value, (str, bytes, bytearray))


class SetNode(_Tagged):
    """``set[T]`` and ``frozenset[T]`` of text, numbers or binaries: ``SS``, ``NS`` or ``BS``."""

    def __init__(self, inner: Scalar, make: type) -> None:
        self.tag = f"{inner.tag}S"
        super().__init__()
        self.inner, self.make = inner, make

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        payload = self.payload(value, path, faults)
        if payload is FAULT:
            return FAULT
        members = [
            self.inner.read_payload(self.inner.tag, v, (*path, i), faults)
            for i, v in enumerate(payload)
        ]
        if any(member is FAULT for member in members):
            return FAULT
        return self.make(members)

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        if not self.holds(value):
            raise EncodeError(expected=self.make.__name__, found=type(value).__name__)
        if not value:
            raise EncodeError(expected="a set with members (DynamoDB stores no empty set)", found="an empty set")
        return {self.tag: [self.inner.unparse(member, json) for member in value]}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        members, member, read = e.var("l"), e.var("v"), e.var("x")
        e.single(source)
        e.line(f'{members} = {source}["{self.tag}"]')
        e.refuse_if(f"type({members}) is not list")
        e.line(f"{target} = set()")
        with e.block(f"for {member} in {members}:"):
            self.inner.emit_payload(e, member, read)
            e.line(f"{target}.add({read})")
        if self.make is not set:
            e.line(f"{target} = {e.const(self.make, 'make')}({target})")

    def left_out(self, value: Any) -> bool:
        return isinstance(value, (set, frozenset)) and not value

    def holds(self, value: Any) -> bool:
        return isinstance(value, (set, frozenset))


class TupleNode(_Tagged):
    """``tuple[int, str]``: an ``L`` of exactly those."""

    def __init__(self, inners: tuple[Node, ...], make: Callable[[list[Any]], Any] = tuple) -> None:
        super().__init__()
        self.inners, self.make = inners, make

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        payload = self.payload(value, path, faults)
        if payload is FAULT:
            return FAULT
        if len(payload) != len(self.inners):
            return faults.note(path, f"{len(self.inners)} members in L", str(len(payload)))
        members = [
            node.read(v, (*path, i), faults) for i, (node, v) in enumerate(zip(self.inners, payload))
        ]
        return FAULT if any(member is FAULT for member in members) else self.make(members)

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        if not isinstance(value, tuple) or len(value) != len(self.inners):
            raise EncodeError(expected=f"a tuple of {len(self.inners)}", found=type(value).__name__)
        parts = zip(self.inners, value)
        return {"L": [write_part(node, i, v, json) for i, (node, v) in enumerate(parts)]}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        members = e.var("l")
        e.single(source)
        e.line(f'{members} = {source}["L"]')
        e.refuse_if(f"type({members}) is not list or len({members}) != {len(self.inners)}")
        names = []
        for index, node in enumerate(self.inners):
            member, read = e.var("v"), e.var("x")
            e.line(f"{member} = {members}[{index}]")
            node.emit(e, member, read)
            names.append(read)
        e.line(f"{target} = ({''.join(name + ', ' for name in names)})")
        if self.make is not tuple:
            e.line(f"{target} = {e.const(self.make, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, tuple)


class DictNode(_Tagged):
    """``dict[K, T]`` and ``Mapping``: an ``M``; the keys are text, or a kind that has a text form."""

    tag = "M"

    def __init__(self, key: Scalar | None, inner: Node, make: Callable[[dict[Any, Any]], Any] | None) -> None:
        super().__init__()
        self.key, self.inner, self.make = key, inner, make

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        payload = self.payload(value, path, faults)
        if payload is FAULT:
            return FAULT
        before = len(faults.errors)
        read: dict[Any, Any] = {}
        for name in payload:
            if not isinstance(name, str):
                return faults.note(path, "text as attribute names", kind_of(name))
            key = self._key(name, path, faults)
            read[key] = self.inner.read(payload[name], (*path, name), faults)
        if len(faults.errors) > before or any(v is FAULT for v in read.values()):
            return FAULT
        return self.make(read) if self.make else read

    def _key(self, name: str, path: Path, faults: Faults) -> Any:
        if self.key is None:
            return str.__str__(name)
        try:
            return self.key.from_text(name)
        except Exception:
            pass
        return faults.note((*path, name), f"a key that is {self.key.python.__name__}", "other text")

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise EncodeError(expected="a mapping", found=type(value).__name__)
        written = {}
        for key, member in value.items():
            name = self.key.to_text(key) if self.key else key
            if not isinstance(name, str):
                raise EncodeError(expected="text as map keys", found=type(key).__name__)
            written[str.__str__(name)] = write_part(self.inner, name, member, json)
        return {"M": written}

    def emit(self, e: Emitter, source: str, target: str) -> None:
        members, name, member, read = e.var("m"), e.var("k"), e.var("v"), e.var("x")
        e.single(source)
        e.line(f'{members} = {source}["M"]')
        e.line(f"{target} = {{}}")
        with e.block(f"for {name}, {member} in {members}.items():"):
            self.inner.emit(e, member, read)
            key = name
            if self.key:
                key = f"{e.const(self.key.from_text, 'key')}({name})"
            else:
                e.refuse_if(f"type({name}) is not str")
            e.line(f"{target}[{key}] = {read}")
        if self.make:
            e.line(f"{target} = {e.const(self.make, 'make')}({target})")

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping)
