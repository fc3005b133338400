"""Literals, and unions distinguished by wire tag, by a class's literal field, or a tag outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Any

from ddbstream._model.nodes import FAILED, MapNode, Node, ReadErrors
from ddbstream._model.roads import DICTS
from ddbstream._model.scalars import IntNode, Scalar
from ddbstream._model.source import Emitter
from ddbstream._values.tags import placed, tag_words
from ddbstream.exceptions import EncodeError

if TYPE_CHECKING:
    from ddbstream._model.objects import Field, ObjectNode
    from ddbstream._model.roads import Road, Structs
    from ddbstream._values.paths import Parts


class LiteralNode(Node):
    """One of some constants: ``Literal["a", 1, None]``, or an enum of values of several kinds.

    Args:
        choices: For each constant the node of the value it is stored as, and that value.
        name: What errors call it.
    """

    def __init__(self, choices: Sequence[tuple[Any, Scalar | Node, Any]], name: str) -> None:
        self.choices = tuple(choices)
        self.tags = frozenset(tag for _, node, _ in choices for tag in node.tags)
        self.words = f"{' or '.join(sorted(self.tags))} ({name})"
        self.name = name
        # only text has one spelling: 1 is also "1.0", and a bool equals an int
        self._texts = {
            stored: constant for constant, _, stored in choices if isinstance(stored, str)
        }
        self.has_text = len(self._texts) == len(self.choices)
        self.has_members = any(isinstance(constant, Enum) for constant, _, _ in choices)
        self.stores_none = any(s is None and constant is not None for constant, _, s in choices)

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        tag = tag_words(value)
        if tag not in self.tags:
            return self.mismatch(value, path, errors)
        for constant, node, stored in self.choices:
            if tag in node.tags:
                read = node.read(value, path, ReadErrors())
                if read is not FAILED and read == stored and type(read) is type(stored):
                    return constant
        return errors.note(path, self.name, f"another {tag}")

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        for constant, node, stored in self.choices:
            if _same(constant, value):
                return node.write(stored, json, depth)
        raise EncodeError(expected=self.name, found=f"another {type(value).__name__}")

    def emit(self, e: Emitter, source: str, target: str) -> None:
        if not self.has_text:
            super().emit(e, source, target)
            return
        e.single(source)
        self.emit_tagged(e, "S", f'{source}["S"]', target, DICTS)

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        return {"S": str} if self.has_text else None

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        e.line(f"{target} = {e.const(self._texts, 'literals')}[{payload}]")

    def holds(self, value: Any) -> bool:
        return any(_same(constant, value) for constant, _, _ in self.choices)

    def from_text(self, text: str) -> Any:
        return self._texts[text]

    def to_text(self, value: Any) -> str:
        for text, constant in self._texts.items():
            if _same(constant, value):
                return text
        raise EncodeError(expected=self.name, found=f"another {type(value).__name__}")


class LiteralScalar(Scalar):
    """A literal of one tag as a set's member."""

    def __init__(self, literal: LiteralNode, tag: str) -> None:
        self.literal, self.tag, self.detail = literal, tag, literal.name
        super().__init__()

    def parse(self, payload: Any) -> Any:
        errors = ReadErrors()
        value = self.literal.read({self.tag: payload}, (), errors)
        if value is FAILED:
            raise ValueError
        return value

    def unparse(self, value: Any, json: bool) -> Any:
        return self.literal.write(value, json, 0)[self.tag]

    def holds(self, value: Any) -> bool:
        return self.literal.holds(value)


def _same(constant: Any, value: Any) -> bool:
    if isinstance(constant, Enum):
        return value is constant
    return type(constant) is type(value) and bool(constant == value)


class UnionNode(Node):
    """A union whose alternatives differ by wire tag.

    Args:
        alternatives: In the order in which writing tries them; if several take one tag, reading
            tries them in this order too (a literal before the rest, an int before a float).
        name: What errors call it.
    """

    def __init__(self, alternatives: Sequence[Node], name: str) -> None:
        self.name = name
        self.settle(alternatives)

    def settle(self, alternatives: Sequence[Node]) -> None:
        """Take these alternatives; once more, when the tags of all of them are known."""
        self.alternatives = tuple(alternatives)
        self.by_tag: dict[str, list[Node]] = {}
        for node in alternatives:
            for tag in sorted(node.tags):
                self.by_tag.setdefault(tag, []).append(node)
        self.tags = frozenset(self.by_tag)
        self.words = " or ".join(sorted(self.tags))

    def occurs_again(self) -> None:
        for node in self.alternatives:
            node.occurs_again()

    def read(self, value: Any, path: Parts, errors: ReadErrors) -> Any:
        nodes = self.by_tag.get(tag_words(value))
        if nodes is None:
            return self.mismatch(value, path, errors)
        for node in nodes[:-1]:
            read = node.read(value, path, ReadErrors())
            if read is not FAILED:
                return read
        return nodes[-1].read(value, path, errors)

    def write(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        failed: EncodeError | None = None
        for node in self.alternatives:
            if not node.holds(value):
                continue
            try:
                return node.write(value, json, depth)
            except EncodeError as error:
                failed = failed or error
            if "M" in node.tags:
                break  # an instance is of its class alone, a list maybe of one stored as a set
        if failed is not None:
            raise failed
        raise EncodeError(expected=self.name, found=type(value).__name__)

    def emit(self, e: Emitter, source: str, target: str) -> None:
        head = "if"
        for tag, nodes in self.by_tag.items():
            with e.block(f'{head} "{tag}" in {source}:'):
                if len(nodes) == 1:
                    nodes[0].emit(e, source, target)
                else:
                    Node.emit(UnionNode(nodes, self.name), e, source, target)
            head = "elif"
        with e.block("else:"):
            e.line("raise Unreadable")

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        types: dict[str, Any] = {}
        for tag, nodes in self.by_tag.items():
            found = structs.types(nodes[0])
            # Of several nodes the first that reads the value is it; and a node may take more tags
            # than its quick code reads.
            if len(nodes) > 1 or found is None or tag not in found:
                return None
            types[tag] = found[tag]
        return types

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        self.by_tag[tag][0].emit_tagged(e, tag, payload, target, road)

    def holds(self, value: Any) -> bool:
        return any(node.holds(value) for node in self.alternatives)

    def left_out(self, value: Any) -> bool:
        return any(node.left_out(value) for node in self.alternatives)

    def absent(self) -> Callable[[], Any] | None:
        makers = [node.absent() for node in self.alternatives]
        # a bare set is the union of the three sets
        return makers[0] if all(makers) else None


class DigitsNode(IntNode):
    """The int of ``int | float`` and ``int | Decimal``: its text has no point and no exponent."""

    native = None

    def parse(self, payload: Any) -> int:
        if isinstance(payload, str) and not payload.lstrip("-").isdecimal():
            raise ValueError
        if isinstance(payload, float):
            raise ValueError
        return super().parse(payload)

    def unparse(self, value: Any, json: bool) -> str:
        text = super().unparse(value, json)
        # of more than 38 digits; DynamoDB takes the zeros at the end
        return int.__repr__(int(value)) if "E" in text else text


class TaggedNode(MapNode):
    """A union of classes, distinguished by a field that is a ``Literal`` in each.

    Args:
        attribute: The attribute that stores the tag.
        classes: The literal's stored texts or numbers, to the class's node.
        key: The kind of the tag.
    """

    def __init__(
        self, attribute: str, classes: Sequence[tuple[LiteralNode, ObjectNode]], name: str
    ) -> None:
        self.attribute, self.classes, self.name = attribute, tuple(classes), name

    def occurs_again(self) -> None:
        for _, node in self.classes:
            node.occurs_again()

    def read_map(self, item: Any, path: Parts, errors: ReadErrors) -> Any:
        if not self.sound_map(item, path, errors):
            return FAILED
        tag = item.get(self.attribute)
        if tag is None:
            return errors.note((*path, self.attribute), f"the tag of {self.name}", "nothing")
        for literal, node in self.classes:
            if literal.read(tag, path, ReadErrors()) is not FAILED:
                return node.read_map(item, path, errors)
        place = (*path, self.attribute)
        return errors.note(place, f"a tag of {self.name}", f"another {tag_words(tag)}")

    def class_of(self, value: Any) -> ObjectNode:
        """The node of the class that writes a value; raises EncodeError."""
        for _, node in self.classes:
            if type(value) is node.cls:
                return node
        holding = [choice for choice in self.classes if choice[1].holds(value)]
        # Instances of all typed dicts are dicts: the value of their tag distinguishes them.
        for literal, node in holding:
            if node.mapping and literal.holds(node.get(self._tag_of(node), value)):
                return node
        if holding:
            return holding[0][1]
        raise EncodeError(expected=self.name, found=type(value).__name__)

    def _tag_of(self, node: ObjectNode) -> Field:
        return next(field for field in node.fields if field.attribute == self.attribute)

    def write_map(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        return self.class_of(value).write_map(value, json, depth)

    def emit_map(self, e: Emitter, item: str, target: str, road: Road = DICTS) -> None:
        if not all(literal.has_text for literal, _ in self.classes):
            self._emit_slow(e, item, target)
            return
        tag, head = e.var("k"), "if"
        e.line(f'{tag} = {item}[{self.attribute!r}]["S"]')
        for literal, node in self.classes:
            # plain text: an enum's value may be of a subclass, and say of itself what it likes
            texts = tuple(str.__str__(stored) for _, _, stored in literal.choices)
            with e.block(f"{head} {tag} in {texts!r}:"):
                node.emit_shared(e, item, target)
            head = "elif"
        with e.block("else:"):
            e.line("raise Unreadable")

    def _emit_slow(self, e: Emitter, item: str, target: str) -> None:
        def read(item: Any) -> Any:
            errors = ReadErrors()
            made = self.read_map(item, (), errors)
            if errors.found:
                raise errors.found[0]
            return made

        e.line(f"{target} = {e.const(read, 'read_tagged')}({item})")

    def holds(self, value: Any) -> bool:
        return any(node.holds(value) for _, node in self.classes)


class OuterTagNode(MapNode):
    """A union of classes, each stored in a map of one attribute, its tag: ``{"circle": {…}}``.

    Args:
        classes: For each tag its class, and the class's node.
        name: What errors call it.
    """

    def __init__(self, classes: Mapping[str, tuple[type, Node]], name: str) -> None:
        self.classes, self.name = classes, name

    def occurs_again(self) -> None:
        for _, node in self.classes.values():
            node.occurs_again()

    def read_map(self, item: Any, path: Parts, errors: ReadErrors) -> Any:
        if not self.sound_map(item, path, errors):
            return FAILED
        names = list(item)
        if len(names) != 1:
            found = f"{len(names)} attributes" if names else "nothing"
            return errors.note(path, f"one tag of {self.name}", found)
        (tag,) = names
        if tag not in self.classes:
            return errors.note(path, f"a tag of {self.name}", "another attribute")
        return self.classes[tag][1].read(item[tag], (*path, tag), errors)

    def tag_of(self, value: Any) -> str:
        """The tag that a value is stored under; raises EncodeError."""
        for tag, (cls, _) in self.classes.items():
            if type(value) is cls:
                return tag
        for tag, (_, node) in self.classes.items():
            if node.holds(value):
                return tag
        raise EncodeError(expected=self.name, found=type(value).__name__)

    def write_map(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        tag = self.tag_of(value)
        try:
            return {tag: self.classes[tag][1].write(value, json, depth)}
        except EncodeError as error:
            placed(error, tag)
            raise

    def emit_map(self, e: Emitter, item: str, target: str, road: Road = DICTS) -> None:
        e.refuse_if(f"len({item}) != 1")
        head = "if"
        for tag, (_, node) in self.classes.items():
            with e.block(f"{head} {tag!r} in {item}:"):
                value = e.var("v")
                e.line(f"{value} = {item}[{tag!r}]")
                node.emit(e, value, target)
            head = "elif"
        with e.block("else:"):
            e.line("raise Unreadable")

    def holds(self, value: Any) -> bool:
        return any(node.holds(value) for _, node in self.classes.values())
