"""Random model classes, with values for them: random fields, annotations, options and nesting."""

from __future__ import annotations

import dataclasses
import enum
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Union
from uuid import UUID

import attrs
import msgspec
import pydantic
from hypothesis import strategies as st
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from ddbstream import Attribute, Epoch, keys
from ddbstream.models import model

Draw = Callable[[st.SearchStrategy[Any]], Any]


class Colour(enum.Enum):
    RED = "r"
    GREEN = "g"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Name(str, enum.Enum):
    ADA = "ada"
    BOB = "bob"


class Right(enum.Flag):
    READ = 1
    WRITE = 2
    RUN = 4


class Odd(enum.Enum):
    TEXT = "a"
    NUMBER = 1
    RAW = b"x"


UserId = NewType("UserId", str)
Cents = NewType("Cents", int)


class Money:
    """A class of the user's own, with conversions."""

    def __init__(self, cents: int) -> None:
        self.cents = cents

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Money) and other.cents == self.cents

    def __hash__(self) -> int:
        return hash(self.cents)

    def __repr__(self) -> str:
        return f"Money({self.cents})"


@dataclass
class Tree:
    """A recursive model."""

    value: int
    children: list[Tree] = field(default_factory=list)
    named: dict[str, Tree] = field(default_factory=dict)
    parent: Tree | None = None


@dataclass
class Sum:
    """A node of a syntax tree, whose tag stands after what is inside of it."""

    left: Term
    right: list[Term]
    op: Literal["sum"] = "sum"


@attrs.define
class Negated:
    """Another."""

    inner: Term | None
    op: Literal["negated"] = "negated"


class Number(msgspec.Struct):
    """A third, of a third library."""

    value: int
    named: dict[str, Term] = {}
    op: Literal["number"] = "number"


Term = Sum | Negated | Number


@dataclass
class Kind:
    """An annotation, and what its values are.

    Attributes:
        annotation: The annotation.
        values: A strategy for its values.
        tags: The wire tags they are written with, to build unions of.
        in_set: Whether a set can hold it.
        key: Whether its text is without ``#``, for key templates.
        text: Whether it has a text form at all.
    """

    annotation: Any
    values: st.SearchStrategy[Any]
    tags: frozenset[str]
    in_set: bool = False
    key: bool = False
    text: bool = False


def _kind(annotation: Any, values: Any, tag: str, **marks: bool) -> Kind:
    return Kind(annotation, values, frozenset(tag.split()), **marks)


@st.composite
def decimals(draw: Draw) -> Decimal:
    """Every number that DynamoDB holds: 38 digits, 1E-130 to 9.99E+125, and zero."""
    digits = draw(st.lists(st.integers(0, 9), min_size=0, max_size=37))
    first = draw(st.integers(1, 9))
    exponent = draw(st.integers(-130, 125)) - len(digits)
    # by tuple: the operators round to the process's 28 digits
    number = Decimal((draw(st.integers(0, 1)), (first, *digits), exponent))
    zeros = [Decimal(0), Decimal("-0"), Decimal("0.00")]
    return draw(st.sampled_from([number, number, number, *zeros]))


floats = st.one_of(
    st.floats(-1e125, 1e125).filter(lambda x: x == 0 or abs(x) >= 1e-130),
    st.floats(-10, 10, width=16),
)
integers = st.one_of(
    st.integers(-(10**38) + 1, 10**38 - 1),
    st.integers(-5, 5),
    st.builds(lambda n, e: n * 10**e, st.integers(-99, 99), st.integers(0, 123)),
)
zones = st.builds(lambda m: timezone(timedelta(minutes=m)), st.integers(-1439, 1439))
utc_times = st.datetimes(timezones=st.just(timezone.utc))
texts = st.text(max_size=12)
#: DynamoDB takes no empty attribute name, at any level.
names = st.text(min_size=1, max_size=12)

SCALARS: list[Kind] = [
    _kind(str, texts, "S", in_set=True, text=True),
    _kind(int, integers, "N", in_set=True, key=True, text=True),
    _kind(float, floats, "N", in_set=True, text=True),
    _kind(bool, st.booleans(), "BOOL", key=True, text=True),
    _kind(bytes, st.binary(max_size=12), "B", in_set=True, key=True, text=True),
    _kind(bytearray, st.binary(max_size=12).map(bytearray), "B"),
    _kind(Decimal, decimals(), "N", in_set=True, text=True),
    _kind(datetime, st.one_of(st.datetimes(), st.datetimes(timezones=zones)), "S N", text=True),
    _kind(Annotated[datetime, Epoch("s")], utc_times, "S N"),
    _kind(Annotated[datetime, Epoch("ms")], utc_times, "S N"),
    _kind(Annotated[datetime, Epoch("us")], utc_times, "S N"),
    _kind(date, st.dates(), "S", in_set=True, key=True, text=True),
    _kind(time, st.one_of(st.times(), st.times(timezones=zones)), "S", text=True),
    _kind(timedelta, st.timedeltas(), "S N"),
    _kind(UUID, st.uuids(), "S", in_set=True, key=True, text=True),
    _kind(Colour, st.sampled_from(Colour), "S", in_set=True, key=True, text=True),
    _kind(Level, st.sampled_from(Level), "N", in_set=True, key=True, text=True),
    _kind(Name, st.sampled_from(Name), "S", in_set=True, key=True, text=True),
    _kind(
        Right,
        st.builds(Right, st.integers(0, 7)),
        "N",
        in_set=True,
        text=True,
    ),
    _kind(Odd, st.sampled_from(Odd), "S N B"),
    _kind(UserId, texts, "S", text=True),
    _kind(Cents, integers, "N", text=True),
    _kind(Literal["a", "b"], st.sampled_from(["a", "b"]), "S", in_set=True, key=True, text=True),
    _kind(Literal["x", 1, True], st.sampled_from(["x", 1, True]), "S N BOOL"),
    _kind(
        Annotated[
            Money, Attribute(structure=lambda n: Money(int(n)), unstructure=lambda m: m.cents)
        ],
        st.builds(Money, integers),
        "any",
    ),
]

plain_sets = st.one_of(
    st.sets(texts, min_size=1, max_size=3),
    st.sets(decimals(), min_size=1, max_size=3),
    st.sets(st.binary(max_size=4), min_size=1, max_size=3),
)
plain = st.recursive(
    st.one_of(st.none(), st.booleans(), texts, decimals(), st.binary(max_size=8), plain_sets),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
plain_items = st.dictionaries(names, plain, max_size=5)

terms = st.recursive(
    st.builds(Number, integers),
    lambda inner: st.one_of(
        st.builds(Sum, inner, st.lists(inner, max_size=2)),
        st.builds(Negated, st.one_of(st.none(), inner)),
        st.builds(Number, integers, st.dictionaries(names, inner, max_size=2)),
    ),
    max_leaves=4,
)

trees = st.recursive(
    st.builds(Tree, integers),
    lambda inner: st.builds(
        Tree,
        integers,
        st.lists(inner, max_size=2),
        st.dictionaries(names, inner, max_size=2),
        st.one_of(st.none(), inner),
    ),
    max_leaves=4,
)

_serial = itertools.count(1)


def scalars(want: Callable[[Kind], bool] = lambda _: True) -> st.SearchStrategy[Kind]:
    return st.sampled_from([kind for kind in SCALARS if want(kind)])


@st.composite
def kinds(draw: Draw, depth: int) -> Kind:
    """A random annotation, nested ``depth`` times at most."""
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(scalars())
    make = draw(st.sampled_from(MAKERS))
    made: Kind = make(draw, depth - 1)
    return made


def _list(draw: Draw, depth: int) -> Kind:
    inner = draw(kinds(depth))
    values = st.lists(inner.values, max_size=3)
    form = draw(st.sampled_from(["list", "sequence", "tuple", "deque"]))
    item = inner.annotation
    if form == "tuple":
        return _kind(tuple[item, ...], values.map(tuple), "L")  # type: ignore[valid-type]
    if form == "deque":
        return _kind(deque[item], values.map(deque), "L")  # type: ignore[valid-type]
    return _kind(list[item] if form == "list" else Sequence[item], values, "L")  # type: ignore[valid-type]


def _tuple(draw: Draw, depth: int) -> Kind:
    inners = [draw(kinds(depth)) for _ in range(draw(st.integers(1, 3)))]
    annotation = tuple[tuple(inner.annotation for inner in inners)]  # type: ignore[misc]
    return _kind(annotation, st.tuples(*[inner.values for inner in inners]), "L")


def _set(draw: Draw, depth: int) -> Kind:
    inner = draw(scalars(lambda kind: kind.in_set))
    frozen = draw(st.booleans())
    values = st.sets(inner.values, min_size=1, max_size=4)
    tag = f"{min(inner.tags)}S"
    item = inner.annotation
    if frozen:
        return _kind(frozenset[item], values.map(frozenset), tag)  # type: ignore[valid-type]
    return _kind(set[item], values, tag)  # type: ignore[valid-type]


def _dict(draw: Draw, depth: int) -> Kind:
    key, inner = draw(scalars(lambda kind: kind.text)), draw(kinds(depth))
    keys_of = key.values.filter(lambda key: key not in ("", b""))
    values = st.dictionaries(keys_of, inner.values, max_size=3)
    form = draw(st.sampled_from([dict, Mapping, OrderedDict]))
    if form is OrderedDict:
        values = values.map(OrderedDict)
    return _kind(form[key.annotation, inner.annotation], values, "M")


def _optional(draw: Draw, depth: int) -> Kind:
    inner = draw(kinds(depth))
    tags = inner.tags | {"NULL"}
    return Kind(Optional[inner.annotation], st.one_of(st.none(), inner.values), tags)  # noqa: UP045


def _union(draw: Draw, depth: int) -> Kind:
    parts: list[Kind] = []
    tags: frozenset[str] = frozenset()
    for _ in range(draw(st.integers(2, 4))):
        part = draw(kinds(depth))
        if not part.tags & tags and "any" not in part.tags:
            parts.append(part)
            tags |= part.tags
    if not parts:
        return draw(scalars())  # type: ignore[no-any-return]
    annotation = Union[tuple(part.annotation for part in parts)]  # noqa: UP007
    return Kind(annotation, st.one_of(*[part.values for part in parts]), tags)


def _any(draw: Draw, depth: int) -> Kind:
    tags = frozenset({"any", "S", "N", "B", "BOOL", "NULL", "L", "M", "SS", "NS", "BS"})
    return Kind(Any, plain, tags)


def _named_tuple(draw: Draw, depth: int) -> Kind:
    inners = [(f"f{i}", draw(kinds(depth))) for i in range(draw(st.integers(1, 3)))]
    cls: Any = NamedTuple(f"NT{next(_serial)}", [(name, kind.annotation) for name, kind in inners])  # type: ignore[misc]
    return _kind(cls, st.builds(cls, **{name: kind.values for name, kind in inners}), "M")


def _typed_dict(draw: Draw, depth: int) -> Kind:
    inners = {f"f{i}": draw(kinds(depth)) for i in range(draw(st.integers(1, 3)))}
    total = draw(st.booleans())
    annotations = {name: kind.annotation for name, kind in inners.items()}
    cls: Any = TypedDict(f"TD{next(_serial)}", annotations, total=total)  # type: ignore[misc]
    values = {name: kind.values for name, kind in inners.items()}
    if total:
        # without a default these take None or the empty set where they are absent
        return _kind(cls, st.fixed_dictionaries(values), "M")
    return _kind(cls, st.fixed_dictionaries({}, optional=values), "M")


def _tagged_union(draw: Draw, depth: int) -> Kind:
    classes, values = [], []
    for number in range(draw(st.integers(2, 3))):
        kind = draw(kinds(depth))
        tag = f"t{number}"
        declared: list[tuple[str, Any, Any]] = [
            ("tag", Literal[tag], dataclasses.MISSING),
            ("value", kind.annotation, dataclasses.MISSING),
        ]
        make = draw(st.sampled_from([_dataclass, _attrs, _plain_struct, _plain_pydantic]))
        cls = make(draw, declared)
        classes.append(cls)
        values.append(_instances(cls, {"tag": st.just(tag), "value": kind.values}))
    return _kind(Union[tuple(classes)], st.one_of(*values), "M")  # noqa: UP007


def _outer_tags(draw: Draw, depth: int) -> Kind:
    """A union of classes whose tags are outside of them."""
    parts = [draw(models(depth)) for _ in range(draw(st.integers(1, 3)))]
    tags = {f"t {number}": part.annotation for number, part in enumerate(parts)}
    union = Union[tuple(tags.values())]  # noqa: UP007
    annotation = Annotated[union, Attribute(tags=tags)]
    return _kind(annotation, st.one_of(*[part.values for part in parts]), "M")


def _row(draw: Draw, depth: int) -> Kind:
    """A named tuple that is stored as a list."""
    named = _named_tuple(draw, depth)
    return _kind(Annotated[named.annotation, Attribute(stored_as="L")], named.values, "L")


def _listed_set(draw: Draw, depth: int) -> Kind:
    """A list that is stored as a set."""
    inner = draw(scalars(lambda kind: kind.in_set and kind.tags <= {"S", "N", "B"}))
    tag: Any = f"{min(inner.tags)}S"
    values = st.lists(inner.values, min_size=1, max_size=4, unique=True)
    form = draw(st.sampled_from([list, tuple, deque]))
    item = inner.annotation
    listed: Any = {list: list[item], tuple: tuple[item, ...], deque: deque[item]}[form]  # type: ignore[valid-type]
    return _kind(Annotated[listed, Attribute(stored_as=tag)], values.map(form), tag)


def _tree(draw: Draw, depth: int) -> Kind:
    return draw(st.sampled_from([_kind(Tree, trees, "M"), _kind(Term, terms, "M")]))


def _nested(draw: Draw, depth: int) -> Kind:
    made: Kind = draw(models(depth))
    return made


MAKERS: list[Callable[[Draw, int], Kind]] = [
    _list,
    _tuple,
    _set,
    _dict,
    _optional,
    _union,
    _any,
    _named_tuple,
    _typed_dict,
    _tagged_union,
    _outer_tags,
    _row,
    _listed_set,
    _tree,
    _nested,
    _nested,
]

NAMES = ["a", "b_c", "d", "some_name", "x1", "value", "type", "item", "self_", "made"]


@st.composite
def models(draw: Draw, depth: int = 2) -> Kind:
    """A random class with fields: how it is made, its fields, defaults, keys and options."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=6, unique=True))
    inners = {name: draw(kinds(depth)) for name in names}
    declared: list[tuple[str, Any, Any]] = []
    for name, kind in inners.items():
        annotation, values = kind.annotation, kind.values
        if draw(st.integers(0, 5)) == 0:
            annotation = Annotated[annotation, Attribute(f"{name}!")]
        default: Any = dataclasses.MISSING
        if draw(st.integers(0, 3)) == 0:
            default = draw(values)
        elif "S" in next(iter(kind.tags)) and kind.tags <= {"SS", "NS", "BS"}:
            # a set without a default may be empty
            inners[name] = dataclasses.replace(
                kind, values=st.one_of(values, st.just(type(draw(values))()))
            )
        declared.append((name, annotation, default))
    maker = draw(st.sampled_from([_dataclass, _dataclass, _attrs, _struct, _pydantic, _pydantic]))
    cls = maker(draw, declared)
    _decorate(draw, cls, inners)
    values = _instances(cls, {name: kind.values for name, kind in inners.items()})
    return Kind(cls, values, frozenset({"M"}))


def _instances(cls: Any, fields: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    # st.builds would add what the signature has besides: the aliases of pydantic's fields
    return st.fixed_dictionaries(fields).map(lambda given: cls(**given))


def _dataclass(draw: Draw, declared: list[tuple[str, Any, Any]]) -> Any:
    fields = []
    for name, annotation, default in declared:
        if default is dataclasses.MISSING:
            fields.append((name, annotation, field(kw_only=draw(st.booleans()))))
        elif draw(st.booleans()) or type(default).__hash__ is None:
            factory = field(default_factory=lambda value=default: value, kw_only=True)
            fields.append((name, annotation, factory))
        else:
            fields.append((name, annotation, field(default=default, kw_only=True)))
    options: Any = {"frozen": draw(st.booleans()), "slots": draw(st.booleans())}
    inherited, own = _cut(draw, fields)
    make = dataclasses.make_dataclass
    bases = (_named(make, "Base", inherited, **options),) if inherited else ()
    return _named(make, "Model", own, bases=bases, kw_only=draw(st.booleans()), **options)


def _named(make: Callable[..., Any], stem: str, fields: Any, **options: Any) -> Any:
    return make(f"{stem}{next(_serial)}", fields, **options)


def _cut(draw: Draw, fields: Any) -> tuple[Any, Any]:
    """The fields of a base, and those of the class; mostly all of the class."""
    some = draw(st.integers(0, len(fields))) if draw(st.integers(0, 2)) == 0 else 0
    if isinstance(fields, dict):
        pairs = list(fields.items())
        return dict(pairs[:some]), dict(pairs[some:])
    return fields[:some], fields[some:]


def _attrs(draw: Draw, declared: list[tuple[str, Any, Any]]) -> Any:
    fields = {
        name: attrs.field(type=annotation, kw_only=True)
        if default is dataclasses.MISSING
        else attrs.field(type=annotation, kw_only=True, factory=lambda value=default: value)
        for name, annotation, default in declared
    }
    inherited, own = _cut(draw, fields)
    options: Any = {"frozen": draw(st.booleans()), "slots": draw(st.booleans())}
    bases = (_named(attrs.make_class, "Base", inherited, **options),) if inherited else (object,)
    return _named(attrs.make_class, "Attrs", own, bases=bases, **options)


def _struct(draw: Draw, declared: list[tuple[str, Any, Any]]) -> Any:
    fields: list[Any] = [
        (name, annotation)
        if default is dataclasses.MISSING
        else (name, annotation, msgspec.field(default_factory=lambda value=default: value))
        for name, annotation, default in declared
    ]
    inherited, own = _cut(draw, fields)
    bases = (_named(msgspec.defstruct, "Base", inherited, kw_only=True),) if inherited else None
    return _named(
        msgspec.defstruct,
        "Struct",
        own,
        bases=bases,
        kw_only=True,
        rename=draw(st.sampled_from([None, "camel"])),
        tag=draw(st.sampled_from([None, "a tag", 7])),
        tag_field="the tag",
        forbid_unknown_fields=draw(st.booleans()),
        frozen=draw(st.booleans()),
        omit_defaults=draw(st.booleans()),
        array_like=draw(st.booleans()),
    )


def _plain_struct(draw: Draw, declared: list[tuple[str, Any, Any]]) -> Any:
    return _named(msgspec.defstruct, "Struct", [(name, kind) for name, kind, _ in declared])


def _plain_pydantic(draw: Draw, declared: list[tuple[str, Any, Any]]) -> Any:
    fields = {name: (annotation, ...) for name, annotation, _ in declared}
    config = pydantic.ConfigDict(arbitrary_types_allowed=True)
    return pydantic.create_model(f"Pydantic{next(_serial)}", __config__=config, **fields)


def _pydantic(draw: Draw, declared: list[tuple[str, Any, Any]]) -> Any:
    fields = {}
    for name, annotation, default in declared:
        options: dict[str, Any] = {}
        if draw(st.integers(0, 3)) == 0:
            options[draw(st.sampled_from(["alias", "serialization_alias"]))] = f"{name} alias"
        if default is not dataclasses.MISSING and draw(st.booleans()):
            options["default"] = default
        elif default is not dataclasses.MISSING:
            options["default_factory"] = lambda value=default: value
        fields[name] = (annotation, pydantic.Field(**options))

    class Configured(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(
            alias_generator=draw(st.sampled_from([None, to_camel])),
            arbitrary_types_allowed=True,  # for what is of other libraries
            extra=draw(st.sampled_from([None, "allow", "forbid"])),
            frozen=draw(st.booleans()),
            populate_by_name=True,
            protected_namespaces=(),
            revalidate_instances=draw(st.sampled_from(["never", "always"])),
            validate_default=draw(st.booleans()),
        )

    base: Any = Configured
    for stem, some in zip(("Base", "Pydantic"), _cut(draw, fields), strict=True):
        base = pydantic.create_model(f"{stem}{next(_serial)}", __base__=base, **some)
    return base


def _decorate(draw: Draw, cls: Any, inners: dict[str, Kind]) -> None:
    if draw(st.booleans()):
        model(
            rename=draw(st.sampled_from([None, "camelCase", "PascalCase", "SCREAMING_SNAKE_CASE"])),
            unknown=draw(st.sampled_from([None, "forbid", "ignore"])),
            none=draw(st.sampled_from([None, "omit"])),
        )(cls)
    safe = [name for name, kind in inners.items() if kind.key]
    loose = [name for name, kind in inners.items() if kind.text and not kind.key]
    templates = {}
    if draw(st.booleans()):
        templates["SK "] = "a {{literal}}"
    if safe and draw(st.booleans()):
        templates["PK "] = "P#" + "#".join(f"{{{name}}}" for name in safe)
    if loose and draw(st.booleans()):
        templates["GSI "] = f"{{{loose[0]}}}"
    if templates:
        keys(**templates)(cls)
