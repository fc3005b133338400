"""Annotations and classes to nodes. What cannot work is refused here, when its class is bound.

`Planner` takes annotations apart; its `ClassPlanner` plans unions and classes with fields.
"""

from __future__ import annotations

import types
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from ddbstream._model.class_specs import MISSING, NO_LIBRARY, ClassSpec, FieldSpec, Library
from ddbstream._model.containers import DictNode, ListNode, SetNode, TupleNode
from ddbstream._model.enums import EnumNode
from ddbstream._model.hints import alias_value, base_arguments, is_alias, substitute, type_arguments
from ddbstream._model.markers import KEYS, OPTIONS, Attribute, Epoch, Options, plain_name, renamer
from ddbstream._model.nodes import FAILED, Node, ReadErrors
from ddbstream._model.objects import Field, ObjectNode
from ddbstream._model.scalars import (
    BoolNode,
    BytesNode,
    DecimalNode,
    FloatNode,
    IntNode,
    Scalar,
    StrNode,
)
from ddbstream._model.standard_classes import class_spec, has_fields, is_typed_dict
from ddbstream._model.stored_as import ListedSetNode, NamedTupleNode
from ddbstream._model.temporal import DateNode, DatetimeNode, TimedeltaNode, TimeNode
from ddbstream._model.unions import (
    DigitsNode,
    LiteralNode,
    LiteralScalar,
    OuterTagNode,
    TaggedNode,
    UnionNode,
)
from ddbstream._model.upgrades import Versioned, steps_of
from ddbstream._model.wrappers import NONE, AnyNode, ConvertedNode, OptionalNode, ReferenceNode
from ddbstream._values.attribute_values import Other
from ddbstream._values.tags import SET_TAGS
from ddbstream.exceptions import ModelDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ddbstream._model.key_templates import KeyTemplate

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
#: Ints whose texts tell a format that keeps ints: small, and of too many digits for a float. What
#: keeps all but negative ones (``0>8``) refuses those when they are written.
_SAMPLES = (0, 7, 10**20 + 7)
_SET_MEMBER_TAGS = frozenset(tag[0] for tag in SET_TAGS)


class Planner:
    """Plans one model and what it nests; a class that occurs twice has one node.

    Args:
        registered: What a registry says about a class or annotation, which wins over what that
            says itself.
        write_other: Writes what ``Any`` holds and DynamoDB has no type for.
    """

    def __init__(self, registered: Callable[[Any], Options | None], write_other: Other) -> None:
        self.registered = registered
        self.any = AnyNode(write_other)
        self.library = NO_LIBRARY
        self.classes = ClassPlanner(self)
        self._aliases: dict[Any, ReferenceNode] = {}

    def root(self, model: Any) -> Node:
        """The plan of a model; raises ModelDefinitionError."""
        node = self.plan(model)
        if "M" not in node.tags or (
            node.tags == self.any.tags and not isinstance(node, ConvertedNode)
        ):
            raise ModelDefinitionError(f"{show(model)} is no model: an item is a map")
        return node

    def plan(self, annotation: Any, *, registered: bool = True) -> Node:  # noqa: C901, PLR0912 - one line a form
        """The node of an annotation; raises ModelDefinitionError.

        Args:
            annotation: The annotation.
            registered: Whether the registry's conversion of it is used.
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
        if getattr(annotation, "_name", None) == "Self" and not get_args(annotation):
            return self.classes.plan_self()
        if hasattr(annotation, "__supertype__"):  # NewType
            return self.plan(annotation.__supertype__)
        origin, args = get_origin(annotation), get_args(annotation)
        if origin is annotation:  # typing.Generic says so of itself
            raise unsupported(annotation)
        if origin is not None and not hasattr(annotation, "__args__"):  # typing.List is list
            return self.plan(origin)
        if origin is Annotated:
            return self._annotated(args[0], args[1:])
        if origin is Literal or getattr(origin, "_name", None) == "Literal":
            return self._literal(args, show(annotation))
        if origin is Union or origin is types.UnionType:
            return self.classes.union(annotation, args)
        alias = annotation if origin is None else origin
        if is_alias(alias):
            return self._alias(annotation, alias, args)
        if _special_form(annotation):
            return self.plan(args[0])
        if origin is not None:
            return self._generic(annotation, origin, args)
        if isinstance(annotation, type):
            return self._class(annotation)
        raise unsupported(annotation)

    def _registered(self, annotation: Any) -> Node | None:
        options = self.registered(annotation)
        if options is None or not (options.structure or options.unstructure):
            return None
        if has_fields(annotation):
            return None  # what plans the fields applies the conversion too
        return self.converted(annotation, options.structure, options.unstructure)

    def converted(self, annotation: Any, structure: Any, unstructure: Any) -> Node:
        """The node of an annotation with the user's own conversions."""
        inner: Node = self.any
        if structure is None or unstructure is None:
            # one direction only: the annotation says how to convert in the other
            inner = self.plan(annotation, registered=False)
        return ConvertedNode(inner, structure, unstructure, instances(annotation), show(annotation))

    def _annotated(self, inner: Any, marks: tuple[Any, ...]) -> Node:
        for mark in marks:
            self.library.check_mark(mark)
        for mark in marks:
            if isinstance(mark, Epoch):
                return self._epoch(inner, mark)
            if isinstance(mark, Attribute) and (mark.structure or mark.unstructure):
                return self._optional(inner, partial(self._converted_by, mark))
            if isinstance(mark, Attribute) and mark.tags:
                return self._optional(inner, partial(self.classes.tagged_outside, mark.tags))
            if isinstance(mark, Attribute) and mark.stored_as:
                return self._optional(inner, partial(self._stored_as, mark.stored_as))
        return self.plan(inner)

    def _stored_as(self, tag: str, annotation: Any) -> Node:
        """The node of an annotation that ``Attribute`` asks to be stored as another type."""
        node = self.plan(annotation)
        if tag == "L" and isinstance(node, ObjectNode) and issubclass(node.cls, tuple):
            if node.upgrades:
                raise ModelDefinitionError(f"{node.name}: upgrades are of items, and not of an L")
            return NamedTupleNode(node)
        if tag in SET_TAGS and isinstance(node, ListNode):
            member = self._set_member(annotation, node.inner)
            if member.tag == tag[0]:
                return ListedSetNode(member, node)
        raise ModelDefinitionError(f"{show(annotation)} cannot be stored as {tag}")

    def _converted_by(self, mark: Attribute, annotation: Any) -> Node:
        return self.converted(annotation, mark.structure, mark.unstructure)

    def _optional(self, annotation: Any, plan: Callable[[Any], Node]) -> Node:
        """Plan an annotation without its None with ``plan``."""
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
        """A type variable without an argument: its default, bound, constraints, or Any."""
        default = getattr(variable, "__default__", None)
        # typing_extensions before 4.12 has no has_default: None is no default there
        if default is not None and getattr(variable, "has_default", lambda: True)():
            return self.plan(default)
        if variable.__bound__ is not None:
            return self.plan(variable.__bound__)
        if variable.__constraints__:
            return self.plan(Union[variable.__constraints__])  # noqa: UP007 - made at run time
        return self.any

    def _alias(self, annotation: Any, alias: Any, args: tuple[Any, ...]) -> Node:
        known = self._aliases.get(annotation)
        if known is not None:
            return known.again()
        reference = self._aliases[annotation] = ReferenceNode(alias.__name__)
        arguments = dict(zip(alias.__type_params__, args, strict=False))
        reference.target = self.plan(substitute(alias_value(alias, self.classes.open), arguments))
        target = reference.target
        if reference is (target.inner if isinstance(target, OptionalNode) else target):
            raise ModelDefinitionError(f"type alias {reference.name} stands for nothing but itself")
        self.classes.settle()
        return reference.target

    def _literal(self, constants: tuple[Any, ...], name: str) -> Node:
        choices: list[tuple[Any, Node, Any]] = []
        for constant in constants:
            stored = constant.value if isinstance(constant, Enum) else constant
            if stored is not constant and self.library.enum_values:
                raise ModelDefinitionError(f"{name}: use_enum_values keeps no members of enums")
            node = self.plan(type(stored))
            if not isinstance(node, Scalar) and node is not NONE:
                raise ModelDefinitionError(f"{name}: a literal of {type(constant).__name__}")
            if any((type(stored), stored) == (type(other), other) for _, _, other in choices):
                raise ModelDefinitionError(f"{name}: two of its constants are stored alike")
            choices.append((constant, node, stored))
        return LiteralNode(choices, name)

    def _generic(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Node:
        if not isinstance(origin, type):
            raise unsupported(annotation)
        if origin is tuple:
            if args == ((),):  # pragma: no cover - Python 3.10's spelling of tuple[()]
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
            return ListNode(self.plan(args[0]), deque if origin is deque else None, origin)
        return self._class(annotation)

    def _dict(self, annotation: Any, origin: Any, args: tuple[Any, ...]) -> Node:
        key = self.plan(args[0])
        make = OrderedDict if origin is OrderedDict else None
        if key is self.any or type(key) is StrNode:
            return DictNode(None, self.plan(args[1]), make, "str")
        if not key.has_text or ("NULL" in key.tags and key.tags != self.any.tags):
            raise ModelDefinitionError(f"{show(annotation)}: {show(args[0])} has no text for a key")
        if getattr(key, "python", None) is bytearray:
            raise ModelDefinitionError(f"{show(annotation)}: a bytearray has no hash")
        return DictNode(key, self.plan(args[1]), make, show(args[0]))

    def _set(self, annotation: Any, origin: Any, member: Any) -> Node:
        make = frozenset if origin is frozenset else set
        node = self.plan(member)
        if node is self.any:
            scalars = (StrNode(), DecimalNode(), BytesNode())
            return UnionNode([SetNode(scalar, make) for scalar in scalars], show(annotation))
        inner = self._set_member(annotation, node)
        if inner.python is bytearray:
            raise ModelDefinitionError(f"{show(annotation)}: a bytearray has no hash")
        return SetNode(inner, make)

    def _set_member(self, annotation: Any, node: Node) -> Scalar:
        """The node of a member of a stored set; raises ModelDefinitionError."""
        if isinstance(node, LiteralNode) and len(node.tags) == 1:
            node = LiteralScalar(node, *node.tags)
        if isinstance(node, Scalar) and node.tag in _SET_MEMBER_TAGS:
            return node
        raise ModelDefinitionError(
            f"{show(annotation)}: DynamoDB's sets hold text, numbers or binaries"
        )

    def _class(self, cls: Any) -> Node:
        if isinstance(cls, type) and not get_args(cls):
            if issubclass(cls, Enum):
                return self._enum(cls)
            if cls.__module__ == "uuid" and cls.__name__ == "UUID":
                # Late: uuid is a module that most models need not load.
                from ddbstream._model.uuids import UUIDNode

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
        first, by_value = nodes[0], self.library.enum_values
        if isinstance(first, Scalar) and all(type(node) is type(first) for node in nodes):
            return EnumNode(cls, first, by_value=by_value)
        choices = [
            (m.value if by_value else m, node, m.value)
            for m, node in zip(members, nodes, strict=True)
        ]
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
    """The class of an annotation's values, if the annotation is a class."""
    if is_typed_dict(annotation):
        return dict
    if annotation is Any:  # a class since Python 3.11, of which nothing is an instance
        return None
    return annotation if isinstance(annotation, type) and not get_args(annotation) else None


def show(annotation: Any) -> str:
    """An annotation nearly as its author wrote it."""
    if isinstance(annotation, type) and not get_args(annotation):
        return str.__str__(annotation.__qualname__).rpartition("<locals>.")[2]
    return str(annotation).replace("typing.", "")


def unsupported(annotation: Any) -> ModelDefinitionError:
    """The error for an annotation that has no place in DynamoDB."""
    return ModelDefinitionError(
        f"{show(annotation)} has no place in DynamoDB; give it structure= and unstructure="
    )


# --- classes with fields, and unions --------------------------------------------------------------

_ROOT = attrgetter("root")


class ClassPlanner:
    """The part of a planner that plans classes and unions."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner
        self._known: dict[Any, ObjectNode] = {}
        self._open: list[Any] = []
        self._wrapping: dict[Any, ReferenceNode] = {}
        self._unsettled: list[UnionNode] = []

    # --- unions ---------------------------------------------------------------------------------

    def union(self, annotation: Any, args: tuple[Any, ...]) -> Node:
        """The node of a union; raises ModelDefinitionError if nothing distinguishes its parts."""
        nodes = [self._planner.plan(arg) for arg in args if not _is_absence(arg)]
        # aliases may be optional themselves
        optional = None in args or type(None) in args
        optional = optional or any(isinstance(node, OptionalNode) for node in nodes)
        nodes = [node.inner if isinstance(node, OptionalNode) else node for node in nodes]
        nodes = self._flat(nodes)
        for node in nodes:
            if optional and _stores_none(node):
                raise ModelDefinitionError(f"{show(annotation)}: a member and None are both NULL")
        node = self._distinct(nodes, show(annotation))
        return OptionalNode(node) if optional else node

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
        # a member of an enum is not a value of another part, though it is stored as one
        literals = [n for n in nodes if isinstance(n, LiteralNode) and not n.has_members]
        rest = [node for node in nodes if node not in literals]
        rest = _numbers_apart(rest)
        for literal in literals:
            _check_constants(literal, rest, name)
        _check_apart(rest, name)
        union = UnionNode(sorted([*literals, *rest], key=_breadth), name)
        if not all(node.tags for node in rest):
            self._unsettled.append(union)
        return union

    def settle(self) -> None:
        """Check the unions that waited for what an alias inside itself stands for."""
        waiting, self._unsettled = self._unsettled, []
        for union in waiting:
            rest = [node for node in union.alternatives if not isinstance(node, LiteralNode)]
            if not all(node.tags for node in rest):
                self._unsettled.append(union)
                continue
            _check_apart(rest, union.name)
            union.settle(sorted(union.alternatives, key=_breadth))

    def tagged_outside(self, tags: tuple[tuple[str, Any], ...], annotation: Any) -> Node:
        """The node of a union whose classes have tags outside; raises ModelDefinitionError."""
        name = show(annotation)
        is_union = get_origin(annotation) in (Union, types.UnionType)
        parts = get_args(annotation) if is_union else (annotation,)
        if len(parts) != len(tags) or any(cls not in parts for _, cls in tags):
            raise ModelDefinitionError(f"{name}: tags= has one tag for each class of the union")
        classes: dict[str, tuple[type, Node]] = {}
        for tag, part in tags:
            node = self._planner.plan(part)
            cls = node.kind if isinstance(node, ConvertedNode) else getattr(node, "cls", None)
            if cls is None or getattr(node, "mapping", False):
                raise ModelDefinitionError(f"{name}: tags= are for classes, not {show(part)}")
            if any(cls is other for other, _ in classes.values()):
                raise ModelDefinitionError(f"{name}: two tags are for {cls.__name__}")
            classes[tag] = (cls, node)
        return OuterTagNode(classes, name)

    # --- classes --------------------------------------------------------------------------------

    def plan(self, cls: Any) -> Node:
        """The node of a class, generic or not; raises ModelDefinitionError."""
        origin = get_origin(cls) or cls
        options = self._options(origin)
        if options.structure is not None and options.unstructure is not None:
            return self._planner.converted(cls, options.structure, options.unstructure)
        node = self._unconverted(cls, origin, options)
        if options.structure is None and options.unstructure is None:
            return node
        kind = instances(origin)
        return ConvertedNode(node, options.structure, options.unstructure, kind, show(cls))

    @property
    def open(self) -> tuple[Any, ...]:
        """The classes whose fields are being planned, from the outermost."""
        return tuple(get_origin(cls) or cls for cls in self._open)

    def plan_self(self) -> Node:
        """The node of ``Self``: of the class whose fields are being planned."""
        if not self._open:
            raise ModelDefinitionError("Self is for the fields of a class")
        return self.plan(self._open[-1])

    def _unconverted(self, cls: Any, origin: Any, options: Options) -> Node:

        known = self._known.get(cls)
        if known is not None:
            known.occurs_again()
            return known
        self._open.append(cls)
        try:
            spec = class_spec(origin, self.open)
            if spec is None:
                origin = None
                return self._of_library(cls)
            root = _root_model(origin, spec)
            if root is not None:
                return self._wrapped(cls, origin, root, spec.library)
            node = self._known[cls] = ObjectNode(origin, show(cls))
            with self._planning(spec.library):
                self._fill(node, cls, origin, spec, options)
        except ModelDefinitionError as error:
            error.model = error.model or origin
            raise
        finally:
            self._open.pop()
        return node

    def _wrapped(self, cls: Any, origin: Any, root: Any, library: Library) -> Node:
        """The node of a pydantic ``RootModel``, which may be inside of itself."""
        known = self._wrapping.get(cls)
        if known is not None:
            return known.again()
        reference = self._wrapping[cls] = ReferenceNode(show(cls))
        with self._planning(library):
            inner = self._planner.plan(root)
        reference.target = ConvertedNode(inner, origin, _ROOT, origin, show(cls))
        self.settle()
        return reference.target

    @contextmanager
    def _planning(self, library: Library) -> Iterator[None]:
        """Plan the fields of a class of that library."""
        outer, self._planner.library = self._planner.library, library
        try:
            yield
        finally:
            self._planner.library = outer

    def _of_library(self, cls: Any) -> Node:
        """The node of a class that only the library of the class around it knows."""
        node: Node | None = self._planner.library.kind(cls)
        if node is None:
            raise unsupported(cls)
        return node

    def _options(self, cls: Any) -> Options:
        own: Options | None = getattr(cls, OPTIONS, None)
        options = own or Options({})
        registered = self._planner.registered(cls)
        return registered.over(options) if registered else options

    def _fill(
        self, node: ObjectNode, cls: Any, origin: Any, spec: ClassSpec, options: Options
    ) -> None:
        node.build, node.direct, node.mapping = spec.build, spec.direct, spec.mapping
        node.constants = {plain_name(name): value for name, value in spec.constants.items()}
        node.refused, node.reserved = spec.refused, spec.reserved
        node.forbid = spec.forbid if options.unknown is None else options.unknown == "forbid"
        node.none_omitted = options.none == "omit"
        templates: dict[str, KeyTemplate] = options.keys or getattr(origin, KEYS, {})
        node.templates = list(templates.values())
        in_keys = {
            name: t.attribute for t in reversed(node.templates) for name in reversed(t.fields)
        }
        collect = options.collect or spec.collect
        strangers = sorted({*in_keys, *filter(None, [collect])} - {f.name for f in spec.fields})
        if strangers:
            raise ModelDefinitionError(f"{node.name} has no field {', '.join(strangers)}")
        parameters = getattr(origin, "__parameters__", ())
        arguments = base_arguments(origin, type_arguments(get_args(cls), parameters))
        rename = renamer(options.rename)
        for declared in spec.fields:
            variables = arguments.get(declared.owner, {})
            declared.annotation = substitute(declared.annotation, variables)
        # literals first: a class inside of itself may need them to be told from others
        for declared in sorted(spec.fields, key=lambda each: not _is_literal(each.annotation)):
            f = self._field(declared, rename, in_keys)
            node.fields.append(f)
            if declared.name == collect:
                _collect(node, f)
        places = {declared.name: place for place, declared in enumerate(spec.fields)}
        node.fields.sort(key=lambda f: places[f.name])
        node.upgrades = steps_of(options)
        _check_formats(node)
        _check_names(node)
        _check_version(node)

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
            name=plain_name(spec.name),
            attribute=in_keys.get(spec.name) or plain_name(own or rename(spec.name)),
            node=node,
            argument=None if spec.argument is None else plain_name(spec.argument),
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
            error.located(spec.name)
            raise


def _stores_none(node: Node) -> bool:
    """Whether a value that is not None is stored as NULL, but by a function of the user's own."""
    if isinstance(node, ConvertedNode) and node.unstructure is _ROOT:
        return "NULL" in node.tags and not isinstance(node.inner, AnyNode)
    return isinstance(node, LiteralNode) and node.stores_none


def _is_absence(annotation: Any) -> bool:
    """Whether it is None, or msgspec's ``UnsetType``, which is never written."""
    return annotation in (None, type(None)) or getattr(annotation, "__name__", "") == "UnsetType"


def _is_literal(annotation: Any) -> bool:
    """Whether an annotation is a ``Literal``, marked or not."""
    while get_origin(annotation) is Annotated or _special_form(annotation):
        annotation = get_args(annotation)[0]
    return getattr(get_origin(annotation), "_name", None) == "Literal"


def _special_form(annotation: Any) -> bool:
    """Whether it is ``Final``, ``Required``, ``NotRequired`` or ``ReadOnly`` of something."""
    name = getattr(get_origin(annotation), "_name", None)
    return name in ("Final", "Required", "NotRequired", "ReadOnly")


def _root_model(cls: Any, spec: ClassSpec) -> Any:
    """The annotation that a pydantic ``RootModel`` wraps, or None."""
    if not getattr(cls, "__pydantic_root_model__", False):
        return None
    return next((declared.annotation for declared in spec.fields if declared.name == "root"), None)


def _renamed(annotation: Any) -> str | None:
    """The name from an ``Attribute`` on the annotation, or on a part of its union."""
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
    if "" in names:
        raise ModelDefinitionError(f"a field of {node.name} is stored as an empty name")
    for name in names:
        if names.count(name) > 1:
            raise ModelDefinitionError(f"two fields of {node.name} are stored as {name}")


def _check_version(node: ObjectNode) -> None:
    """What is written has to say the version that it is of; raises ModelDefinitionError."""
    for step in node.upgrades:
        if not isinstance(step, Versioned):
            continue
        found = next((f for f in node.fields if f.attribute == step.attribute), None)
        if found is None or found.restored() != step.current:
            raise ModelDefinitionError(
                f"{step.name} of {node.name} needs a field that stores {step.attribute}, "
                f"with the default {step.current}"
            )


def _check_formats(node: ObjectNode) -> None:
    fields = {f.name: f for f in node.fields}
    for template in node.templates:
        for name, spec in zip(template.fields, template.formats, strict=True):
            inner = fields[name].node
            inner = inner.inner if isinstance(inner, OptionalNode) else inner
            problem = ""
            if spec and type(inner) is not IntNode:
                problem = "a format is for an int"
            elif spec and None in [IntNode().formatted(number, spec) for number in _SAMPLES]:
                problem = "what this format writes would not be read as the same int"
            if problem:
                raise ModelDefinitionError(f"{template.template!r}: {problem}", path=name)


def tagged(objects: list[ObjectNode], name: str) -> Node:
    """A union of classes, distinguished by a literal field; raises ModelDefinitionError."""
    for candidate in objects[0].fields:
        literals = [_tag_in(node, candidate.attribute) for node in objects]
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


def _tag_in(node: ObjectNode, attribute: str) -> Node | None:
    """The node of the field that is all that an attribute stores: a part of a key is no tag."""
    keys = [template for template in node.templates if template.attribute == attribute]
    if any(not template.is_field for template in keys):
        return None
    return next((f.node for f in node.fields if f.attribute == attribute), None)


def _tagged_by_constants(attribute: str, objects: list[ObjectNode], name: str) -> Node:
    pairs = []
    for node in objects:
        (tag, stored), *_ = node.constants[attribute].items()
        kind: Scalar = StrNode() if tag == "S" else IntNode()
        value = stored if tag == "S" else int(stored)
        pairs.append((LiteralNode([(value, kind, value)], node.name), node))
    return TaggedNode(attribute, pairs, name)


def _check_apart(rest: list[Node], name: str) -> None:
    """Two parts of a union are not stored as the same tag; raises ModelDefinitionError."""
    for index, node in enumerate(rest):
        for other in rest[:index]:
            for tag in sorted(node.tags & other.tags if not _numbers(other, node) else ()):
                raise ModelDefinitionError(
                    f"{name}: two parts are both stored as {tag}, and nothing tells them apart"
                )


def _breadth(node: Node) -> int:
    """How much a part of a union holds: writing tries the narrower first."""
    if isinstance(node, LiteralNode) and not node.has_members:
        return -1
    if "M" in node.tags or isinstance(node, NamedTupleNode):
        return 0  # a named tuple is a tuple too
    return 2 if isinstance(node, ListNode) and node.is_abstract else 1


def _check_constants(literal: LiteralNode, rest: list[Node], name: str) -> None:
    """A constant is read first: no other part may write another value as it is stored."""
    for constant, inner, stored in literal.choices:
        written = inner.write(stored, True, 0)
        for node in rest:
            # what the user's own functions convert is not asked
            if not isinstance(node, (Scalar, LiteralNode)) or not inner.tags & node.tags:
                continue
            read = node.read(written, (), ReadErrors())
            if read is not FAILED and read != constant and node.write(read, True, 0) == written:
                raise ModelDefinitionError(
                    f"{name}: {literal.name} and another part have values that are stored alike"
                )


def _numbers(one: Node, other: Node) -> bool:
    """Whether two alternatives are an int and a float or Decimal: their spelling differs."""
    kinds = {type(one), type(other)}
    return DigitsNode in kinds and bool(kinds & {FloatNode, DecimalNode})


def _numbers_apart(nodes: list[Node]) -> list[Node]:
    kinds = {type(node) for node in nodes}
    if IntNode not in kinds or not kinds & {FloatNode, DecimalNode}:
        return nodes
    # writing tries them in this order; the node of a Decimal or float takes ints too
    return [DigitsNode() for node in nodes if type(node) is IntNode] + [
        node for node in nodes if type(node) is not IntNode
    ]
