"""Open paths: for reports over many items, which say where something is and name no data.

An open path leaves open which position of a list, or which key of a dictionary, is meant:
``lines[].sku``, ``by_day.*``. Names that a class does not know are attribute names, and stay.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ddbstream._model.containers import Container, DictNode
from ddbstream._model.field_paths import node_at
from ddbstream._model.nodes import Node
from ddbstream._model.objects import ObjectNode
from ddbstream._model.unions import OuterTagNode, TaggedNode, UnionNode
from ddbstream._model.wrappers import ConvertedNode, OptionalNode, ReferenceNode
from ddbstream._values.paths import Parts, path_text

__all__ = ["open_path", "unknown_attributes"]

_WRAPPERS: Final = (OptionalNode, ConvertedNode)


def open_path(root: Node, path: Parts) -> str:
    """The open path of a path in an item.

    Args:
        root: The plan of the item's model.
        path: The path's parts.
    """
    text = ""
    nodes = _choices(root)
    for part in path:
        open_part, nodes = _step(nodes, part)
        text = _joined(text, open_part)
    return text


def unknown_attributes(root: Node, item: Mapping[str, Any]) -> set[str]:
    """The open paths of attributes that no field of the model stores.

    Args:
        root: The plan of the item's model.
        item: A wire item that the model can read.
    """
    return set(_unknown_in_map(_choices(root), item, ""))


def _choices(node: Node | None) -> list[Node]:
    """What a node is once its wrappers are off; several for a union."""
    while isinstance(node, (*_WRAPPERS, ReferenceNode)):
        node = node.target if isinstance(node, ReferenceNode) else node.inner
    if isinstance(node, UnionNode):
        return [choice for one in node.alternatives for choice in _choices(one)]
    if isinstance(node, TaggedNode):
        return [one for _, one in node.classes]
    return [] if node is None else [node]


def _step(nodes: list[Node], part: str | int) -> tuple[str, list[Node]]:
    """A path's part as an open path has it, and what is there."""
    if isinstance(part, int):
        return "[]", [choice for node in nodes for choice in _choices(node_at(node, part))]
    for node in nodes:
        if isinstance(node, ObjectNode):
            found = next((f for f in node.fields if f.attribute == part and not f.in_key), None)
            if found is not None:
                return part, _choices(found.node)
    for node in nodes:
        if isinstance(node, OuterTagNode) and part in node.classes:
            return part, _choices(node.classes[part][1])
    dictionaries = [node for node in nodes if isinstance(node, DictNode)]
    if dictionaries:
        return "*", [choice for node in dictionaries for choice in _choices(node.inner)]
    # Of a class it is an attribute's name; inside of ``Any`` it may be data.
    return part if any(isinstance(node, ObjectNode) for node in nodes) else "*", []


def _joined(path: str, part: str) -> str:
    if part == "[]":
        return path + part
    name = part if part == "*" else path_text((part,))
    return f"{path}.{name}" if path else name


def _unknown_in_map(nodes: list[Node], item: Mapping[str, Any], path: str) -> Iterator[str]:
    classes = [node for node in nodes if isinstance(node, ObjectNode)]
    if len(classes) == 1:
        item = classes[0].upgraded(item)
    if any(node.collector is not None for node in classes):
        classes = [node for node in classes if node.collector is not None]
    known = frozenset[str]().union(*(node.known for node in classes))
    collected = any(node.collector is not None for node in classes)
    for name, value in item.items():
        if classes and name not in known:
            if not collected:
                yield _joined(path, name)
            continue
        if "M" in value or "L" in value:
            part, inside = _step(nodes, name)
            yield from _unknown_in(inside, value, _joined(path, part))


def _unknown_in(nodes: list[Node], value: Mapping[str, Any], path: str) -> Iterator[str]:
    if "M" in value:
        yield from _unknown_in_map(nodes, value["M"], path)
    elif "L" in value and any(isinstance(node, Container) for node in nodes):
        for position, member in enumerate(value["L"]):
            part, inside = _step(nodes, position)
            yield from _unknown_in(inside, member, _joined(path, part))
