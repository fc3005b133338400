"""What a path means in a model: one resolver, for ``changed=``, transitions, redaction and lookups.

A path is written in field names or attribute names, an item has attribute names only. Each part of
a path goes through the node of what stands before it, to the last part.

Rules:

- At a class, a field's name wins over an attribute's of the same name. Redaction hides both.
- A field inside of a key means the attribute of the key. Several keys are several places.
- A field that an upgrade has renamed means its former attributes too, which older items have.
- In a union a part means what it means in any of the alternatives.
- A map's key is named by its text, a list's member by its position, and a named tuple's that is
  stored as a list by its field as well. A tag outside of a class is a part of the path.
- What is read without a model (``Any``, what a class collects, what the user's own function
  converts) has any part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from ddbstream._model.class_specs import MISSING
from ddbstream._model.containers import DictNode, ListNode, TupleNode
from ddbstream._model.objects import ObjectNode
from ddbstream._model.stored_as import NamedTupleNode
from ddbstream._model.unions import OuterTagNode, TaggedNode, UnionNode
from ddbstream._model.upgrades import former_names
from ddbstream._model.wrappers import AnyNode, ConvertedNode, OptionalNode, ReferenceNode

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate
    from ddbstream._model.nodes import Node
    from ddbstream._values.paths import Parts


Place = tuple["Parts", "KeyTemplate | None", str]
"""One place that a path means: the path in attribute names, and where the field that it names is
but a part of a key, the key's template and the field's name."""


class _Step(NamedTuple):
    """What one part of a path means: an attribute, and what is planned to be there."""

    part: str | int
    node: Node | None
    template: KeyTemplate | None = None
    field: str = ""
    by_attribute: bool = False


def places(root: Node, parts: Parts, *, every: bool = False, strict: bool = False) -> list[Place]:
    """The places that a path means, the likeliest first.

    Args:
        root: The node of the model.
        parts: The path, in field or attribute names.
        every: Also what attribute names mean where fields of the same names win.
        strict: Only places of the model: nothing at all where it has no such field. Otherwise what
            the model does not have is taken for an attribute's name.
    """
    found: dict[Place, None] = {}
    reached: list[tuple[Parts, Node | None]] = [((), root)]
    for part in parts:
        found = {}
        # classes inside of each other lead to one node in many ways, which is followed once
        following: dict[tuple[Parts, int], tuple[Parts, Node | None]] = {}
        for before, node in reached:
            for step in _steps_taken(node, part, every=every, strict=strict):
                here = (*before, step.part)
                found[here, step.template, step.field] = None
                following.setdefault((here, id(step.node)), (here, step.node))
        reached = list(following.values())
    return list(found)


def _steps_taken(node: Node | None, part: str | int, *, every: bool, strict: bool) -> list[_Step]:
    steps = [] if node is None else list(_steps(node, part))
    if not every and not all(step.by_attribute for step in steps):
        steps = [step for step in steps if not step.by_attribute]
    return steps if steps or strict else [_Step(part, None)]


def _steps(node: Node, part: str | int) -> Iterator[_Step]:
    """What a part of a path means inside of a node; nothing if the node has no such part."""
    match node:
        case AnyNode():
            yield _Step(part, node)
        case OptionalNode() | ConvertedNode():
            yield from _steps(node.inner, part)
        case ReferenceNode():
            yield from _steps(node.target, part)
        case UnionNode():
            for alternative in node.alternatives:
                yield from _steps(alternative, part)
        case TaggedNode():
            for _, alternative in node.classes:
                yield from _steps(alternative, part)
        case OuterTagNode() if part in node.classes:
            yield _Step(part, node.classes[str(part)][1])
        case ListNode() | TupleNode() | NamedTupleNode():
            yield from _steps_of_list(node, part)
        case DictNode() if isinstance(part, str) and _key(node, part) is not MISSING:
            yield _Step(part, node.inner)
        case ObjectNode() if isinstance(part, str):
            yield from _steps_of_object(node, part)
        case _:
            pass


def _steps_of_object(node: ObjectNode, part: str) -> Iterator[_Step]:
    for step in _steps_of_fields(node, part):
        yield step
        if step.template is None:
            for name in _former(node, str(step.part)):
                yield step._replace(part=name)


def _former(node: ObjectNode, attribute: str) -> list[str]:
    """The names under which older items have an attribute, but for those that are others' now."""
    if not node.upgrades:
        return []
    return [name for name in former_names(node.upgrades, attribute) if name not in node.known]


def _steps_of_fields(node: ObjectNode, part: str) -> Iterator[_Step]:
    for field in node.fields:
        if field.name == part and field.in_key:
            for template in node.templates:
                if part in template.fields:
                    yield _Step(template.attribute, None, template, part)
        elif field.name == part and not field.collects:
            yield _Step(field.attribute, field.node)
    for field in node.fields:
        if field.attribute == part and not field.in_key and not field.collects:
            yield _Step(part, field.node, by_attribute=True)
    if part in node.constants or any(template.attribute == part for template in node.templates):
        yield _Step(part, None, by_attribute=True)
    if node.collector is not None and part not in node.known:
        yield _Step(part, node.collector[1], by_attribute=True)


def _steps_of_list(node: ListNode | TupleNode | NamedTupleNode, part: str | int) -> Iterator[_Step]:
    if isinstance(part, int):
        inner = node_at(node, part)
        if inner is not None:
            yield _Step(part, inner)
    elif isinstance(node, NamedTupleNode):
        for index, field in enumerate(node.row.fields):
            if field.name == part:
                yield _Step(index, field.node)


def node_at(node: Node, position: int) -> Node | None:
    """The node of a list's member; None if the list has no such position, or it is no list."""
    if isinstance(node, ListNode):
        return node.inner
    if isinstance(node, NamedTupleNode) and position < len(node.row.fields):
        return node.row.fields[position].node
    if isinstance(node, TupleNode) and position < len(node.inners):
        return node.inners[position]
    return None


def _key(node: DictNode, text: str) -> Any:
    """The key of a map with that text; MISSING if no key has it."""
    if node.key is None:
        return text
    try:
        return node.key.from_text(text)
    except Exception:  # noqa: BLE001 - whatever it raises, the text is of no such kind
        return MISSING


def value_at(root: Node, instance: Any, parts: Parts) -> Any:
    """What an instance of a model has at a path in attribute names; MISSING if nothing is there.

    A key is text assembled from fields, and no field's value: it is not there.
    """
    node: Node | None = root
    found = instance
    for part in parts:
        node, found = _member(node, found, part)
        if found is MISSING:
            return MISSING
    return found


def field_at(root: Node, instance: Any, place: Place) -> Any:
    """The value of the field that a place is about: also of one inside of a key."""
    parts, template, field = place
    if template is None:
        return value_at(root, instance, parts)
    owner = value_at(root, instance, parts[:-1])
    return owner.get(field) if isinstance(owner, Mapping) else getattr(owner, field, MISSING)


def _member(node: Node | None, value: Any, part: str | int) -> tuple[Node | None, Any]:
    """The node and the value of a member; the value is MISSING if there is none."""
    match node:
        case AnyNode():
            return node, _plain_member(value, part)
        case OptionalNode():
            return (None, MISSING) if value is None else _member(node.inner, value, part)
        case ReferenceNode():
            return _member(node.target, value, part)
        case ConvertedNode() if not isinstance(node.inner, AnyNode):
            # what its own function makes of the value is what is stored
            return _member(node.inner, node.stored(value), part)
        case UnionNode():
            alternative = next((each for each in node.alternatives if each.holds(value)), None)
            return (None, MISSING) if alternative is None else _member(alternative, value, part)
        case TaggedNode():
            return _member(node.class_of(value), value, part)
        case OuterTagNode() if part in node.classes:
            is_stored = node.tag_of(value) == part
            return node.classes[str(part)][1], value if is_stored else MISSING
        case ListNode() | TupleNode() | NamedTupleNode():
            inner = node_at(node, part) if isinstance(part, int) else None
            return inner, MISSING if inner is None else _plain_member(value, part)
        case DictNode() if isinstance(part, str):
            return node.inner, value.get(_key(node, part), MISSING)
        case ObjectNode() if isinstance(part, str):
            return _member_of_object(node, value, part)
        case _:
            return None, MISSING


def _plain_member(value: Any, part: str | int) -> Any:
    if isinstance(part, str):
        return value.get(part, MISSING) if isinstance(value, Mapping) else MISSING
    has_members = isinstance(value, Sequence) and not isinstance(value, str)
    return value[part] if has_members and part < len(value) else MISSING


def _member_of_object(node: ObjectNode, value: Any, part: str) -> tuple[Node | None, Any]:
    for field in node.fields:
        is_it = field.attribute == part or part in _former(node, field.attribute)
        if is_it and not field.in_key and not field.collects:
            return field.node, node.get(field, value)
    if node.collector is not None and part not in node.known:
        name, inner = node.collector
        collecting = next(field for field in node.fields if field.name == name)
        return inner, _plain_member(node.get(collecting, value), part)
    return None, MISSING
