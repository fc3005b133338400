"""Annotations to nodes. What cannot work is refused here, once, when its class is bound."""

from __future__ import annotations

import types
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from ddbstream._model.classes import ClassPlanner
from ddbstream._model.containers import DictNode, ListNode, SetNode, TupleNode
from ddbstream._model.enums import EnumNode, UUIDNode
from ddbstream._model.hints import substitute
from ddbstream._model.markers import Attribute, Epoch
from ddbstream._model.nodes import Node
from ddbstream._model.scalars import (
    BoolNode,
    BytesNode,
    DecimalNode,
    FloatNode,
    IntNode,
    Scalar,
    StrNode,
)
from ddbstream._model.shapes import has_fields, is_typed_dict
from ddbstream._model.temporal import DateNode, DatetimeNode, TimedeltaNode, TimeNode
from ddbstream._model.unions import LiteralNode, ReferenceNode, UnionNode
from ddbstream._model.wrappers import NONE, AnyNode, ConvertedNode, OptionalNode
from ddbstream.exceptions import ModelDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddbstream._model.registry import Registry

_SCALARS: dict[Any, Callable[[], Node]] = {
    str: StrNode,
    int: IntNode,
    float: FloatNode,
    bool: BoolNode,
    Decimal: DecimalNode,
    bytes: BytesNode,
    bytearray: lambda: BytesNode(bytearray),
    datetime: DatetimeNode,
    date: DateNode,
    time: TimeNode,
    timedelta: TimedeltaNode,
    None: lambda: NONE,
    type(None): lambda: NONE,
}
_SET_TAGS = ("S", "N", "B")


class Planner:
    """Plans one model and what it nests; a class met again is the same node.

    Args:
        registry: What it says about classes wins over what they say.
        write_other: Writes what ``Any`` holds and DynamoDB has no type for.
    """

    def __init__(self, registry: Registry | None, write_other: Any) -> None:
        self.registry = registry
        self.any = AnyNode(write_other)
        self.classes = ClassPlanner(self)
        self._aliases: dict[Any, ReferenceNode] = {}

    def root(self, model: Any) -> Node:
        """The plan of a model; raises ModelDefinitionError."""
        node = self.plan(model)
        if "M" not in node.tags or (
            node.tags == self.any.tags and not isinstance(node, ConvertedNode)
        ):
            raise ModelDefinitionError(f"{show(model)} is no model: an item is a map", model=model)
        return node

    def plan(self, annotation: Any, *, registered: bool = True) -> Node:  # noqa: C901 - one line a form
        """The node of an annotation; raises ModelDefinitionError.

        Args:
            annotation: The annotation.
            registered: Whether the registry's own conversion of it is asked for.
        """
        converted = self._registered(annotation) if registered else None
        if converted is not None:
            return converted
        try:
            made = _SCALARS.get(annotation)
        except TypeError:  # Literal and Annotated of something unhashable
            made = None
        if made is not None:
            return made()
        if annotation is Any or annotation is object:
            return self.any
        if isinstance(annotation, TypeVar):
            return self._type_variable(annotation)
        if hasattr(annotation, "__supertype__"):  # NewType
            return self.plan(annotation.__supertype__)
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is not None and not hasattr(annotation, "__args__"):  # typing.List is list
            return self.plan(origin)
        if origin is Annotated:
            return self._annotated(args[0], args[1:])
        if origin is Literal or getattr(origin, "_name", None) == "Literal":
            return self._literal(args, show(annotation))
        if origin is Union or origin is types.UnionType:
            return self.classes.union(annotation, args)
        alias = annotation if origin is None else origin
        if hasattr(alias, "__value__") and hasattr(alias, "__type_params__"):  # PEP 695
            return self._alias(annotation, alias, args)
        if getattr(origin, "_name", None) in ("Final", "Required", "NotRequired", "ReadOnly"):
            return self.plan(args[0])
        if origin is not None:
            return self._generic(annotation, origin, args)
        if isinstance(annotation, type):
            return self._class(annotation)
        raise unsupported(annotation)

    def _registered(self, annotation: Any) -> Node | None:
        if self.registry is None:
            return None
        options = self.registry.options(annotation)
        if options is None or not (options.structure or options.unstructure):
            return None
        if has_fields(annotation):
            return None  # who plans its fields does this too
        return self.converted(annotation, options.structure, options.unstructure)

    def converted(self, annotation: Any, structure: Any, unstructure: Any) -> Node:
        """The node of a kind with conversions of the user's own."""
        inner: Node = self.any
        if structure is None or unstructure is None:
            # one direction only: the other is the annotation's own
            inner = self.plan(annotation, registered=False)
        return ConvertedNode(inner, structure, unstructure, instances(annotation), show(annotation))

    def _annotated(self, inner: Any, marks: tuple[Any, ...]) -> Node:
        for mark in marks:
            if isinstance(mark, Epoch):
                return self._epoch(inner, mark)
            if isinstance(mark, Attribute) and (mark.structure or mark.unstructure):
                return self._optional(inner, partial(self._converted_by, mark))
        return self.plan(inner)

    def _converted_by(self, mark: Attribute, annotation: Any) -> Node:
        return self.converted(annotation, mark.structure, mark.unstructure)

    def _optional(self, annotation: Any, plan: Callable[[Any], Node]) -> Node:
        """Plan what an annotation is besides None with ``plan``."""
        if get_origin(annotation) in (Union, types.UnionType):
            rest = tuple(arg for arg in get_args(annotation) if arg is not type(None))
            if len(rest) < len(get_args(annotation)):
                return OptionalNode(plan(Union[rest]))  # noqa: UP007 - made at run time
        return plan(annotation)

    def _epoch(self, inner: Any, mark: Epoch) -> Node:
        def plan(kind: Any) -> Node:
            while hasattr(kind, "__supertype__"):
                kind = kind.__supertype__
            if kind is not datetime:
                raise ModelDefinitionError(f"Epoch is for datetime, and not for {show(kind)}")
            return DatetimeNode(mark.unit)

        return self._optional(inner, plan)

    def _type_variable(self, variable: Any) -> Node:
        """A type variable that nothing stands for: default, bound, constraints, or Any."""
        default = getattr(variable, "__default__", None)
        if default is not None and getattr(variable, "has_default", lambda: False)():
            return self.plan(default)
        if variable.__bound__ is not None:
            return self.plan(variable.__bound__)
        if variable.__constraints__:
            return self.plan(Union[variable.__constraints__])  # noqa: UP007 - made at run time
        return self.any

    def _alias(self, annotation: Any, alias: Any, args: tuple[Any, ...]) -> Node:
        known = self._aliases.get(annotation)
        if known is not None:
            # inside itself it is a reference; beside itself it is what it stands for
            return getattr(known, "target", known)
        reference = self._aliases[annotation] = ReferenceNode(alias.__name__)
        arguments = dict(zip(alias.__type_params__, args, strict=False))
        reference.target = self.plan(substitute(alias.__value__, arguments))
        return reference.target

    def _literal(self, constants: tuple[Any, ...], name: str) -> Node:
        choices = []
        for constant in constants:
            stored = constant.value if isinstance(constant, Enum) else constant
            node = self.plan(type(stored))
            if not isinstance(node, Scalar) and node is not NONE:
                raise ModelDefinitionError(f"{name}: a literal of {type(constant).__name__}")
            choices.append((constant, node, stored))
        return LiteralNode(choices, name)

    def _generic(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Node:
        if not isinstance(origin, type):
            raise unsupported(annotation)
        if origin is tuple:
            if args == ((),):  # 3.10's spelling of tuple[()]
                return TupleNode(())
            if len(args) == 2 and args[1] is ...:
                return ListNode(self.plan(args[0]), tuple, tuple)
            return TupleNode([self.plan(arg) for arg in args])
        if origin in (dict, OrderedDict) or _abstract(origin, Mapping):
            return self._dict(annotation, origin, args)
        if origin in (set, frozenset) or _abstract(origin, AbstractSet):
            return self._set(annotation, origin, args[0])
        if (
            origin in (list, deque)
            or _abstract(origin, Sequence)
            or origin in (Iterable, Collection)
        ):
            kind = (
                origin
                if origin in (list, deque)
                else Iterable
                if origin is Iterable
                else Collection
            )
            return ListNode(self.plan(args[0]), deque if origin is deque else None, kind)
        return self._class(annotation)

    def _dict(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Node:
        key = self.plan(args[0])
        make = OrderedDict if origin is OrderedDict else None
        if key is self.any or type(key) is StrNode:
            return DictNode(None, self.plan(args[1]), make, "str")
        if not key.has_text or ("NULL" in key.tags and key.tags != self.any.tags):
            raise ModelDefinitionError(f"{show(annotation)}: {show(args[0])} has no text for a key")
        return DictNode(key, self.plan(args[1]), make, show(args[0]))

    def _set(self, annotation: Any, origin: Any, member: Any) -> Node:
        make = frozenset if origin is frozenset else set
        node = self.plan(member)
        if node is self.any:
            scalars = (StrNode(), DecimalNode(), BytesNode())
            return UnionNode([SetNode(scalar, make) for scalar in scalars], show(annotation))
        if isinstance(node, LiteralNode) and len(node.tags) == 1:
            return self._literal_set(annotation, node, make)
        if isinstance(node, Scalar) and node.tag in _SET_TAGS:
            if node.python is bytearray:
                raise ModelDefinitionError(f"{show(annotation)}: a bytearray has no hash")
            return SetNode(node, make)
        raise ModelDefinitionError(
            f"{show(annotation)}: DynamoDB's sets hold text, numbers or binaries"
        )

    def _literal_set(self, annotation: Any, node: LiteralNode, make: type) -> Node:
        (tag,) = node.tags
        if tag not in _SET_TAGS:
            raise ModelDefinitionError(
                f"{show(annotation)}: DynamoDB's sets hold text, numbers or binaries"
            )
        from ddbstream._model.unions import LiteralScalar

        return SetNode(LiteralScalar(node, tag), make)

    def _class(self, cls: Any) -> Node:
        if isinstance(cls, type) and not get_args(cls):
            if issubclass(cls, Enum):
                return self._enum(cls)
            if cls.__module__ == "uuid" and cls.__name__ == "UUID":
                return UUIDNode()
            bare = self._bare(cls)
            if bare is not None:
                return bare
        return self.classes.plan(cls)

    def _bare(self, cls: type) -> Node | None:
        """``list`` is ``list[Any]``, and so on."""
        if cls in (dict, OrderedDict, Mapping):
            return self._dict(cls, cls, (str, Any))
        if cls in (set, frozenset, AbstractSet):
            return self._set(cls, cls, Any)
        if cls is tuple:
            return ListNode(self.any, tuple, tuple)
        if cls in (list, deque, Sequence, Iterable, Collection):
            return self._generic(cls, cls, (Any,))
        return None

    def _enum(self, cls: type[Enum]) -> Node:
        members = list(cls)
        if not members:
            raise ModelDefinitionError(f"enum {cls.__name__} has no members")
        nodes = [self._enum_value(cls, member) for member in members]
        first = nodes[0]
        if isinstance(first, Scalar) and all(type(node) is type(first) for node in nodes):
            return EnumNode(cls, first)
        choices = [(m, node, m.value) for m, node in zip(members, nodes, strict=True)]
        return LiteralNode(choices, cls.__name__)

    def _enum_value(self, cls: type[Enum], member: Enum) -> Node:
        kind = type(member.value)
        for base in kind.__mro__:  # a value may be of a subclass of str or int
            node = _SCALARS.get(base)
            if node is not None:
                return node()
        raise ModelDefinitionError(
            f"enum {cls.__name__}: {member.name} has a value of {kind.__name__}, which is no scalar"
        )


def _abstract(origin: type, base: Any) -> bool:
    """Whether a type is one of ``collections.abc``'s abstract forms of ``base``."""
    return origin.__module__ == "collections.abc" and issubclass(origin, base)


def instances(annotation: Any) -> type | None:
    """The class whose instances an annotation's values are, if it is a class."""
    if is_typed_dict(annotation):
        return dict
    if annotation is Any:  # a class since Python 3.11, of which nothing is an instance
        return None
    return annotation if isinstance(annotation, type) and not get_args(annotation) else None


def show(annotation: Any) -> str:
    """An annotation as its author wrote it, more or less."""
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__qualname__.rpartition("<locals>.")[2]
    return str(annotation).replace("typing.", "")


def unsupported(annotation: Any) -> ModelDefinitionError:
    """The error for an annotation that has no place in DynamoDB."""
    return ModelDefinitionError(
        f"{show(annotation)} has no place in DynamoDB; give it structure= and unstructure="
    )
