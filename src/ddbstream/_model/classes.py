"""Classes with fields, and unions, to nodes."""

from __future__ import annotations

import types
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from ddbstream._model.containers import DictNode, ListNode
from ddbstream._model.hints import base_arguments, substitute, type_arguments
from ddbstream._model.markers import KEYS, OPTIONS, Attribute, Options
from ddbstream._model.nodes import MapNode, Node
from ddbstream._model.objects import Field, ObjectNode
from ddbstream._model.renames import renamer
from ddbstream._model.scalars import DecimalNode, FloatNode, IntNode, Scalar
from ddbstream._model.shapes import MISSING, FieldSpec, Shape, shape_of
from ddbstream._model.unions import LiteralNode, PlainIntNode, TaggedNode, UnionNode
from ddbstream._model.wrappers import NONE, ConvertedNode, FallbackNode, OptionalNode
from ddbstream.exceptions import ModelDefinitionError

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate
    from ddbstream._model.plan import Planner


_ROOT = attrgetter("root")


class ClassPlanner:
    """The part of a planner that plans classes and unions."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._known: dict[Any, ObjectNode] = {}
        self._open: list[Any] = []

    # --- unions ---------------------------------------------------------------------------------

    def union(self, annotation: Any, args: tuple[Any, ...]) -> Node:
        """The node of a union; raises ModelDefinitionError if nothing tells its parts apart."""
        from ddbstream._model.plan import show

        nodes = [self._planner.plan(arg) for arg in args if not _is_absence(arg)]
        optional = type(None) in args or None in args
        # aliases that are optional themselves
        nodes = [node.inner if isinstance(node, OptionalNode) else node for node in nodes]
        optional = optional or any(self._takes_none(arg) for arg in args if not _is_absence(arg))
        nodes = self._flat(nodes)
        for node in nodes:
            if optional and isinstance(node, LiteralNode) and node.stores_none:
                raise ModelDefinitionError(f"{show(annotation)}: a member and None are both NULL")
        node = self._distinct(nodes, show(annotation))
        return OptionalNode(node) if optional else node

    def _takes_none(self, annotation: Any) -> bool:
        return isinstance(self._planner.plan(annotation), OptionalNode)

    def _flat(self, nodes: list[Node]) -> list[Node]:
        flat: list[Node] = []
        for node in nodes:
            flat += node.alternatives if isinstance(node, UnionNode) else [node]
        return flat

    def _distinct(self, nodes: list[Node], name: str) -> Node:
        objects = [node for node in nodes if isinstance(node, ObjectNode)]
        if len(objects) > 1:
            nodes = [node for node in nodes if node not in objects]
            nodes.append(tagged(objects, name))
        if len(nodes) == 1:
            return nodes[0]
        # an enum's member is no other part's value, though it is stored as one
        literals = [n for n in nodes if isinstance(n, LiteralNode) and not n.has_members]
        rest = [node for node in nodes if node not in literals]
        rest = _numbers_apart(rest)
        for index, node in enumerate(rest):
            for other in rest[:index]:
                for tag in sorted(node.tags & other.tags if not _numbers(other, node) else ()):
                    raise ModelDefinitionError(
                        f"{name}: two parts are both stored as {tag}, and nothing tells them apart"
                    )
        # a named tuple is a tuple too: writing asks the classes first
        rest.sort(key=lambda node: not isinstance(node, MapNode))
        return UnionNode([*literals, *rest], name)

    # --- classes --------------------------------------------------------------------------------

    def plan(self, cls: Any) -> Node:
        """The node of a class, generic or not; raises ModelDefinitionError."""
        from ddbstream._model.plan import instances, show

        origin = get_origin(cls) or cls
        options = self._options(origin)
        if options.structure is not None and options.unstructure is not None:
            return self._planner.converted(cls, options.structure, options.unstructure)
        node = self._unconverted(cls, origin, options)
        if options.structure is None and options.unstructure is None:
            return node
        kind = instances(origin)
        return ConvertedNode(node, options.structure, options.unstructure, kind, show(cls))

    def _unconverted(self, cls: Any, origin: Any, options: Options) -> Node:
        from ddbstream._model.plan import show, unsupported

        known = self._known.get(cls)
        if known is not None:
            known.uses += 1
            return known
        root = _root_model(origin)
        if root is not None:
            return ConvertedNode(self._planner.plan(root), origin, _ROOT, origin, show(cls))
        self._open.append(cls)
        try:
            shape = shape_of(origin, tuple(get_origin(c) or c for c in self._open))
            if shape is None:
                origin = None
                raise unsupported(cls)
            node = self._known[cls] = ObjectNode(origin, show(cls), uses=1)
            self._fill(node, cls, origin, shape, options)
        except ModelDefinitionError as error:
            self._known.pop(cls, None)
            error.model = error.model or origin
            raise
        finally:
            self._open.pop()
        return node

    def _options(self, cls: Any) -> Options:
        own: Options | None = getattr(cls, OPTIONS, None)
        options = own or Options({})
        registry = self._planner.registry
        registered = registry.options(cls) if registry else None
        return registered.over(options) if registered else options

    def _fill(
        self, node: ObjectNode, cls: Any, origin: Any, shape: Shape, options: Options
    ) -> None:
        node.build, node.direct, node.mapping = shape.build, shape.direct, shape.mapping
        node.constants, node.refused = shape.constants, shape.refused
        node.forbid = shape.forbid if options.unknown is None else options.unknown == "forbid"
        node.none_omitted = options.none == "omit"
        templates: dict[str, KeyTemplate] = options.keys or getattr(origin, KEYS, {})
        node.templates = list(templates.values())
        in_keys = {
            name: t.attribute for t in reversed(node.templates) for name in reversed(t.fields)
        }
        collect = options.collect or shape.collect
        strangers = sorted({*in_keys, *filter(None, [collect])} - {s.name for s in shape.fields})
        if strangers:
            raise ModelDefinitionError(f"{node.name} has no field {', '.join(strangers)}")
        parameters = getattr(origin, "__parameters__", ())
        arguments = base_arguments(origin, type_arguments(get_args(cls), parameters))
        rename = renamer(options.rename)
        for spec in shape.fields:
            spec.annotation = substitute(spec.annotation, arguments.get(spec.owner, {}))
            f = self._field(spec, rename, in_keys)
            node.fields.append(f)
            if spec.name == collect:
                _collect(node, f)
        _check_formats(node)
        _check_names(node)

    def _field(self, spec: FieldSpec, rename: Any, in_keys: dict[str, str]) -> Field:
        node = self._field_node(spec)
        default, factory = spec.default, spec.factory
        if spec.argument is None:  # the class sets it itself
            default, factory = MISSING, None
        if (
            default is MISSING
            and factory is None
            and not spec.omitted
            and spec.argument is not None
        ):
            factory = node.absent()
            if isinstance(node, OptionalNode) or node is NONE:
                default, factory = None, None
        if isinstance(default, tuple) and isinstance(node, ListNode) and node.is_abstract:
            node.make = tuple  # a Sequence whose default is a tuple holds tuples
        own = _renamed(spec.annotation) or spec.stored_name
        if spec.name in in_keys and not node.has_text:
            raise ModelDefinitionError("it has no text for a key", path=spec.name)
        return Field(
            name=spec.name,
            attribute=in_keys.get(spec.name) or own or rename(spec.name),
            node=node,
            argument=spec.argument,
            positional=spec.positional,
            default=default,
            factory=factory,
            stored=spec.stored,
            omitted=spec.omitted,
            in_key=spec.name in in_keys,
        )

    def _field_node(self, spec: FieldSpec) -> Node:
        try:
            return self._planner.plan(spec.annotation)
        except ModelDefinitionError as error:
            if spec.fallback is not None:
                return FallbackNode(self._planner.any, spec.fallback, spec.name)
            error.located(spec.name)
            raise


def _is_absence(annotation: Any) -> bool:
    """Whether it is None, or msgspec's ``UnsetType``, which is never written."""
    return annotation in (None, type(None)) or getattr(annotation, "__name__", "") == "UnsetType"


def _root_model(cls: Any) -> Any:
    """The annotation that a pydantic ``RootModel`` wraps, or None."""
    if getattr(cls, "__pydantic_root_model__", False) and "root" in cls.__pydantic_fields__:
        return cls.__pydantic_fields__["root"].annotation
    return None


def _renamed(annotation: Any) -> str | None:
    """The name that an ``Attribute`` gives, on the annotation or on a part of its union."""
    if get_origin(annotation) is Annotated:
        for mark in get_args(annotation)[1:]:
            if isinstance(mark, Attribute) and mark.name:
                return mark.name
    if get_origin(annotation) in (Union, types.UnionType):
        for arg in get_args(annotation):
            name = _renamed(arg)
            if name:
                return name
    return None


def _collect(node: ObjectNode, f: Field) -> None:
    if not isinstance(f.node, DictNode) or f.node.key is not None:
        raise ModelDefinitionError("collect= takes a field of dict[str, Any]", path=f.name)
    f.collects = True
    node.collector = (f.name, f.node.inner)


def _check_names(node: ObjectNode) -> None:
    names = [f.attribute for f in node.fields if not f.in_key and not f.collects]
    names += [template.attribute for template in node.templates] + list(node.constants)
    for name in names:
        if names.count(name) > 1:
            raise ModelDefinitionError(f"two fields of {node.name} are stored as {name}")


def _check_formats(node: ObjectNode) -> None:
    fields = {f.name: f for f in node.fields}
    for template in node.templates:
        for name, spec in zip(template.fields, template.formats, strict=True):
            inner = fields[name].node
            inner = inner.inner if isinstance(inner, OptionalNode) else inner
            if spec and type(inner) is not IntNode:
                raise ModelDefinitionError(
                    f"{template.template!r}: a format is for an int", path=name
                )


def tagged(objects: list[ObjectNode], name: str) -> Node:
    """A union of classes, told apart by a literal field; raises ModelDefinitionError."""
    for candidate in objects[0].fields:
        literals = [
            next((f.node for f in node.fields if f.attribute == candidate.attribute), None)
            for node in objects
        ]
        if not all(isinstance(literal, LiteralNode) for literal in literals):
            continue
        stored = [
            (type(value), value)
            for literal in literals
            for _, _, value in literal.choices  # type: ignore[union-attr]
        ]
        if len(set(stored)) == len(stored):
            pairs = list(zip(literals, objects, strict=True))
            return TaggedNode(candidate.attribute, pairs, name)  # type: ignore[arg-type]
    constants = set.intersection(*(set(node.constants) for node in objects))
    for attribute in sorted(constants):
        texts = [repr(node.constants[attribute]) for node in objects]
        if len(set(texts)) == len(texts):
            return _tagged_by_constants(attribute, objects, name)
    raise ModelDefinitionError(
        f"{name}: no field is a Literal of other values in each class, to tell them apart"
    )


def _tagged_by_constants(attribute: str, objects: list[ObjectNode], name: str) -> Node:
    from ddbstream._model.scalars import StrNode

    pairs = []
    for node in objects:
        (tag, stored), *_ = node.constants[attribute].items()
        kind: Scalar = StrNode() if tag == "S" else IntNode()
        value = stored if tag == "S" else int(stored)
        pairs.append((LiteralNode([(value, kind, value)], node.name), node))
    return TaggedNode(attribute, pairs, name)


def _numbers(one: Node, other: Node) -> bool:
    """Whether two alternatives are an int and a float or Decimal: their spelling differs."""
    kinds = {type(one), type(other)}
    return PlainIntNode in kinds and bool(kinds & {FloatNode, DecimalNode})


def _numbers_apart(nodes: list[Node]) -> list[Node]:
    kinds = {type(node) for node in nodes}
    if IntNode not in kinds or not kinds & {FloatNode, DecimalNode}:
        return nodes
    # writing asks in this order; a Decimal or float takes ints too
    return [PlainIntNode() for node in nodes if type(node) is IntNode] + [
        node for node in nodes if type(node) is not IntNode
    ]
