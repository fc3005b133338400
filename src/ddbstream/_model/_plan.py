"""Annotations to nodes. An annotation that cannot work is refused here, once, when the class is bound."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Union, get_args, get_origin

from ..exceptions import ModelDefinitionError
from ._containers import DictNode, ListNode, SetNode, TupleNode
from ._fields import FieldSpec, dataclass_fields, has_plain_constructor, type_hints
from ._markers import KEYS, Attribute, Epoch
from ._nodes import ANY, NONE, Node, OptionalNode
from ._objects import MISSING, Field, ObjectNode
from ._scalars import (
    BoolNode,
    BytesNode,
    DecimalNode,
    EnumNode,
    FloatNode,
    IntNode,
    Scalar,
    StrNode,
    UUIDNode,
)
from ._temporal import DatetimeNode

_SCALARS: dict[Any, type[Scalar]] = {
    str: StrNode,
    int: IntNode,
    float: FloatNode,
    bool: BoolNode,
    Decimal: DecimalNode,
    bytes: BytesNode,
    datetime: DatetimeNode,
}


class Planner:
    """Plans one model and what it nests; a class met again is the same node."""

    def __init__(self) -> None:
        self._objects: dict[Any, ObjectNode] = {}
        self._open: set[Any] = set()

    def root(self, model: Any) -> ObjectNode:
        """The plan of a model class; raises ModelDefinitionError."""
        if isinstance(model, type) and dataclasses.is_dataclass(model):
            return self.object(model)
        raise ModelDefinitionError(f"{show(model)} is no model class", model=model)

    def plan(self, annotation: Any) -> Node:
        """The node of an annotation; raises ModelDefinitionError."""
        if annotation in _SCALARS:
            return _SCALARS[annotation]()
        if annotation is Any or annotation is object:
            return ANY
        if annotation is None or annotation is type(None):
            return NONE
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            return self._annotated(args[0], args[1:])
        if origin is Union or origin is types.UnionType:
            return self._union(annotation, args)
        if origin is not None:
            return self._generic(annotation, origin, args)
        if isinstance(annotation, type):
            return self._class(annotation)
        raise unsupported(annotation)

    def _annotated(self, inner: Any, marks: tuple[Any, ...]) -> Node:
        for mark in marks:
            if isinstance(mark, Epoch):
                if inner is not datetime:
                    raise ModelDefinitionError(f"Epoch is for datetime, not for {show(inner)}")
                return DatetimeNode(mark.unit)
        return self.plan(inner)

    def _union(self, annotation: Any, args: tuple[Any, ...]) -> Node:
        rest = [arg for arg in args if arg is not type(None)]
        if len(rest) == 1:
            return OptionalNode(self.plan(rest[0]))
        raise unsupported(annotation)

    def _generic(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Node:
        if origin is tuple:
            if len(args) == 2 and args[1] is ...:
                return ListNode(self.plan(args[0]), tuple, (tuple,))
            return TupleNode(tuple(self.plan(arg) for arg in args))
        if not isinstance(origin, type):
            raise unsupported(annotation)
        if issubclass(origin, Mapping):
            key = self.plan(args[0])
            if not isinstance(key, Scalar):
                raise unsupported(annotation)
            return DictNode(None if type(key) is StrNode else key, self.plan(args[1]), None)
        if issubclass(origin, AbstractSet):
            member = self.plan(args[0])
            if not isinstance(member, Scalar) or member.tag not in ("S", "N", "B"):
                raise ModelDefinitionError(f"{show(annotation)}: DynamoDB's sets hold text, numbers or binaries")
            return SetNode(member, frozenset if origin is frozenset else set)
        if issubclass(origin, Sequence):
            return ListNode(self.plan(args[0]), None, (list,) if origin is list else (list, tuple))
        raise unsupported(annotation)

    def _class(self, cls: type) -> Node:
        if issubclass(cls, Enum):
            return self._enum(cls)
        if cls.__module__ == "uuid" and cls.__name__ == "UUID":
            return UUIDNode()
        if dataclasses.is_dataclass(cls):
            return self.object(cls)
        if cls in (list, dict, tuple, set, frozenset):
            return self._bare(cls)
        raise unsupported(cls)

    def _bare(self, cls: type) -> Node:
        if cls is dict:
            return DictNode(None, ANY, None)
        if cls in (list, tuple):
            return ListNode(ANY, None if cls is list else tuple, (cls,))
        raise ModelDefinitionError(f"say what {cls.__name__} holds: {cls.__name__}[str]")

    def _enum(self, cls: type[Enum]) -> Node:
        kinds = {type(member.value) for member in cls}
        if len(kinds) == 1 and issubclass(kind := kinds.pop(), (str, int, float, Decimal, bytes)):
            inner = self.plan(kind)
            if isinstance(inner, Scalar):
                return EnumNode(cls, inner)
        raise ModelDefinitionError(f"the values of enum {cls.__name__} are not of one scalar type")

    def object(self, cls: type) -> ObjectNode:
        """The node of a class with fields."""
        node = self._objects.get(cls)
        if node is not None:
            node.uses += 1
            node.recursive = node.recursive or cls in self._open
            return node
        node = self._objects[cls] = ObjectNode(cls, cls.__name__)
        node.uses = 1
        self._open.add(cls)
        specs = dataclass_fields(cls, type_hints(cls))
        templates = getattr(cls, KEYS, {})
        node.templates = list(templates.values())
        in_keys = {name: t.attribute for t in reversed(node.templates) for name in t.fields}
        unknown = set(in_keys) - {spec.name for spec in specs}
        if unknown:
            raise ModelDefinitionError(
                f"@keys of {cls.__qualname__} names {', '.join(sorted(unknown))}, which is no field", model=cls
            )
        node.fields = [self._field(cls, spec, in_keys) for spec in specs]
        self._check_names(cls, node)
        node.direct = has_plain_constructor(cls) and all(f.stored and f.parameter for f in node.fields)
        self._open.discard(cls)
        return node

    def _field(self, cls: type, spec: FieldSpec, in_keys: dict[str, str]) -> Field:
        try:
            node = self.plan(spec.annotation)
        except ModelDefinitionError as error:
            error.path = f"{spec.name}.{error.path}" if error.path else spec.name
            error.model = cls
            raise
        default, factory = spec.default, spec.factory
        if default is MISSING and factory is None:
            if isinstance(node, OptionalNode):
                default = None
            elif isinstance(node, SetNode):
                factory = node.make
        attribute = _renamed(spec.annotation) or spec.name
        if spec.name in in_keys:
            attribute = in_keys[spec.name]
            inner = node.inner if isinstance(node, OptionalNode) else node
            if not isinstance(inner, Scalar) or inner.tag == "B":
                raise ModelDefinitionError(
                    f"{show(spec.annotation)} has no text form for a key", path=spec.name, model=cls
                )
        return Field(
            name=spec.name,
            attribute=attribute,
            node=node,
            parameter=spec.parameter,
            default=default,
            factory=factory,
            stored=spec.stored,
            in_key=spec.name in in_keys,
        )

    def _check_names(self, cls: type, node: ObjectNode) -> None:
        names = [field.attribute for field in node.fields if not field.in_key]
        names += [template.attribute for template in node.templates]
        for name in names:
            if names.count(name) > 1:
                raise ModelDefinitionError(f"two fields of {cls.__qualname__} are stored as {name!r}", model=cls)


def _renamed(annotation: Any) -> str | None:
    if get_origin(annotation) is Annotated:
        for mark in get_args(annotation)[1:]:
            if isinstance(mark, Attribute) and mark.name:
                return mark.name
    return None


def show(annotation: Any) -> str:
    """An annotation as its author wrote it, more or less."""
    return annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)


def unsupported(annotation: Any) -> ModelDefinitionError:
    return ModelDefinitionError(f"{show(annotation)} has no place in DynamoDB; give its field structure= and unstructure=")
