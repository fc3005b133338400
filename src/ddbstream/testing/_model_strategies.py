"""Instances of any model that ddbstream reads, drawn by the annotations of its fields.

Rules:

* What is drawn can be written by `ddbstream.to_item`, and reads back as an equal instance.
* A field with a default is left to it in some draws.
* A class that nests itself is opened twice at most: DynamoDB holds 32 levels.
* What an annotation cannot say (a check in ``__post_init__``, a class of the user's own) is said
  by a strategy for the field.
"""

from __future__ import annotations

import types
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar, Union, get_args
from typing import get_origin as origin_of

from hypothesis import strategies as st

from ddbstream import to_item
from ddbstream._model.class_specs import MISSING, ClassSpec, FieldSpec
from ddbstream._model.hints import base_arguments, substitute, type_arguments
from ddbstream._model.markers import KEYS, OPTIONS
from ddbstream._model.standard_classes import class_spec
from ddbstream._values.tags import SET_TAGS
from ddbstream.exceptions import EncodeError
from ddbstream.testing._item_strategies import names, numbers, texts, values

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

__all__ = ["instances"]

_OPENED: Final = 2
_FEW: Final = 3
_MOST: Final = 10**38 - 1  # 38 digits
_ZONES: Final = st.sampled_from([timezone.utc, timezone(timedelta(hours=2)), timezone.utc])


class _Limits(dict[str, Any]):
    """What ``Annotated`` says of a value: ``ge``, ``gt``, ``le``, ``lt``, lengths, a pattern.

    annotated-types, pydantic and ``msgspec.Meta`` call them alike.
    """

    _NAMES = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")

    def note(self, mark: object) -> None:
        for name in self._NAMES:
            value = getattr(mark, name, None)
            if value is not None:
                self[name] = value

    def sizes(self, least: int = 0, most: int = _FEW) -> dict[str, Any]:
        low = max(least, self.get("min_length", 0))
        return {"min_size": low, "max_size": self.get("max_length", max(most, low + most))}


def instances(model: Any, fields: Mapping[str, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """A strategy of a model's instances.

    Args:
        model: The class, or a generic class with its arguments.
        fields: Strategies for fields of it, which are taken as they are.

    Raises:
        TypeError: It is no class with fields, or has no such field.
    """
    cls = origin_of(model) or model
    spec = class_spec(cls, ()) if isinstance(cls, type) else None
    if spec is None:
        raise TypeError(f"from_model() takes a class with fields, and {cls!r} is none")
    unknown = sorted(fields.keys() - {one.name for one in spec.fields})
    if unknown:
        raise TypeError(f"from_model(): {cls.__name__} has no field {unknown[0]!r}")
    return _of_class(model, spec, fields, ())


def _of_class(
    model: Any,
    spec: ClassSpec,
    given: Mapping[str, SearchStrategy[Any]],
    opened: tuple[Any, ...],
) -> SearchStrategy[Any]:
    cls = origin_of(model) or model
    arguments = type_arguments(get_args(model), getattr(cls, "__parameters__", ()))
    known = base_arguments(cls, arguments)
    in_keys = _separators(cls)
    collect = spec.collect or getattr(getattr(cls, OPTIONS, None), "collect", None)
    required: dict[str, SearchStrategy[Any]] = {}
    optional: dict[str, SearchStrategy[Any]] = {}
    for field in spec.fields:
        if field.argument is None or field.name == spec.collect:
            continue
        if field.name in given:
            required[field.argument] = given[field.name]
            continue
        annotation = substitute(field.annotation, known.get(field.owner, arguments))
        if field.name == collect:
            strategy: SearchStrategy[Any] = st.builds(dict)
        elif field.name in in_keys:
            strategy = _in_a_key(annotation, in_keys[field.name], (*opened, cls))
        else:
            strategy = _of_field(annotation, field, (*opened, cls))
        has_default = field.omitted or field.default is not MISSING or field.factory is not None
        (optional if has_default else required)[field.argument] = strategy

    def build(made: dict[str, Any]) -> Any:
        return cls(**made) if spec.build is None else spec.build({**made})

    drawn = st.fixed_dictionaries(required, optional=optional).map(build)
    return drawn.filter(_can_be_written) if in_keys else drawn


def _separators(cls: type) -> dict[str, str]:
    """The fields in ``@keys`` templates, each with what its text must do without."""
    found: dict[str, str] = {}
    for template in getattr(cls, KEYS, {}).values():
        # Every separator, and not only the one that follows: another class of the table may have
        # one more part in its keys.
        between = "".join(template.literals)
        signs = "".join(sorted({sign for sign in between if not sign.isalnum()}))
        for index, name in enumerate(template.fields):
            found[name] = found.get(name, "") + signs + template.literals[index + 1][:1]
    return found


def _can_be_written(made: Any) -> bool:
    """Whether a number or a time in a key holds no separator of it: the odd draw does."""
    try:
        to_item(made)
    except EncodeError:
        return False
    return True


def _in_a_key(annotation: Any, without: str, opened: tuple[Any, ...]) -> SearchStrategy[Any]:
    base = origin_of(annotation)
    plain = get_args(annotation)[0] if base is Annotated else annotation
    while hasattr(plain, "__supertype__"):
        plain = plain.__supertype__
    if plain is not str:
        return _of(annotation, opened)
    limits = _limits_of(annotation)
    if "pattern" in limits:
        return _of(annotation, opened)
    signs = st.characters(exclude_categories=["Cs"], exclude_characters=without)
    return st.text(signs, **limits.sizes(1, 12))


def _of_field(annotation: Any, field: FieldSpec, opened: tuple[Any, ...]) -> SearchStrategy[Any]:
    """As `_of`; a set that is a field may be empty, since its attribute can be absent."""
    kind = origin_of(annotation) or annotation
    if isinstance(kind, type) and issubclass(kind, AbstractSet) and field.default is MISSING:
        nothing = set() if field.factory is None else field.factory()
        if not nothing:
            empty = st.builds(frozenset if issubclass(kind, frozenset) else set)
            return st.one_of(empty, _of(annotation, opened))
    return _of(annotation, opened)


def _limits_of(annotation: Any) -> _Limits:
    limits = _Limits()
    for mark in get_args(annotation)[1:] if origin_of(annotation) is Annotated else ():
        limits.note(mark)
        for inner in getattr(mark, "metadata", ()):  # pydantic's Field holds annotated-types
            limits.note(inner)
    return limits


def _of(  # noqa: C901, PLR0912 - one line a form
    annotation: Any, opened: tuple[Any, ...], limits: _Limits | None = None
) -> SearchStrategy[Any]:
    limits = limits or _Limits()
    if annotation is None:
        return st.none()
    if annotation is Any or annotation is object:
        return values()
    if isinstance(annotation, TypeVar):
        choices = annotation.__constraints__ or (annotation.__bound__ or Any,)
        return st.one_of([_of(choice, opened) for choice in choices])
    if hasattr(annotation, "__supertype__"):  # NewType
        return _of(annotation.__supertype__, opened, limits)
    if hasattr(annotation, "__value__"):  # `type X = ...`
        return _of(annotation.__value__, opened, limits)
    if getattr(annotation, "_name", None) == "Self":
        return _of(opened[-1], opened)
    origin, inner = origin_of(annotation), get_args(annotation)
    if origin is Annotated:
        drawn = _of(inner[0], opened, _limits_of(annotation))
        is_set = any(getattr(mark, "stored_as", None) in SET_TAGS for mark in inner[1:])
        return drawn.filter(_fits_a_set) if is_set else drawn
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is Union or origin is types.UnionType:
        return st.one_of([_of(choice, opened, limits) for choice in inner])
    if getattr(origin, "_name", None) in ("Required", "NotRequired", "ReadOnly"):
        return _of(inner[0], opened, limits)
    if isinstance(annotation, type) and annotation in _SCALARS:
        return _SCALARS[annotation](limits)
    kind = origin or annotation
    if not isinstance(kind, type):
        return st.from_type(annotation)
    if (make := _made_as(kind)) is not None:
        return _container(kind, make, inner, opened, limits)
    spec = class_spec(kind, opened)
    if spec is None:
        return st.from_type(annotation)
    if opened.count(kind) >= _OPENED:
        return st.nothing()  # a list of it is then empty, and an optional one None
    return _of_class(annotation, spec, {}, opened)


def _fits_a_set(made: Any) -> bool:
    """Whether a list that is stored as a set has members, and each once."""
    return made is None or 0 < len(set(made)) == len(made)


def _container(
    kind: type,
    make: Callable[[Any], Any],
    inner: tuple[Any, ...],
    opened: tuple[Any, ...],
    limits: _Limits,
) -> SearchStrategy[Any]:
    if kind is tuple and inner and inner[-1] is not Ellipsis:
        return st.tuples(*(_of(one, opened) for one in inner if one != ()))
    if issubclass(kind, Mapping):
        key, value = inner or (str, Any)
        # An attribute's name is never empty, in a map either.
        keys = names() if key is str else _of(key, opened)
        inside = _of(value, opened)
        if inside.is_empty:
            return st.builds(make)
        return st.dictionaries(keys, inside, **limits.sizes()).map(make)
    member = inner[0] if inner else (Any if not issubclass(kind, AbstractSet) else str)
    if issubclass(kind, AbstractSet):
        # DynamoDB has no empty set.
        return st.sets(_of(member, opened), **limits.sizes(1)).map(make)
    members = _of(member, opened)
    if members.is_empty:
        return st.builds(make)
    return st.lists(members, **limits.sizes()).map(make)


def _made_as(kind: type) -> Callable[[Any], Any] | None:
    """What a container is made as; None for a class that is none."""
    if kind in (list, tuple, set, frozenset, dict, deque, OrderedDict):
        return kind
    if kind.__module__ != "collections.abc":
        return None
    abstract = {Mapping: dict, AbstractSet: set, Iterable: list}
    return next((made for base, made in abstract.items() if issubclass(kind, base)), None)


def _integers(limits: _Limits) -> SearchStrategy[int]:
    low = limits.get("ge", limits["gt"] + 1 if "gt" in limits else -_MOST)
    high = limits.get("le", limits["lt"] - 1 if "lt" in limits else _MOST)
    near = st.integers(max(low, min(high, 0) - 100), min(high, max(low, 0) + 100))
    return st.one_of(near, st.integers(low, high))


def _decimals(limits: _Limits) -> SearchStrategy[Decimal]:
    if not limits.keys() & {"ge", "gt", "le", "lt"}:
        return numbers()
    low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
    drawn = st.decimals(low, high, places=2, allow_nan=False, allow_infinity=False)
    drawn = drawn if low is not None else drawn.filter(lambda one: abs(one) < _MOST)
    return drawn.filter(lambda one: one not in (limits.get("gt"), limits.get("lt")))


def _floats(limits: _Limits) -> SearchStrategy[float]:
    drawn = st.floats(
        limits.get("ge", limits.get("gt", -1e125)),
        limits.get("le", limits.get("lt", 1e125)),
        exclude_min="gt" in limits,
        exclude_max="lt" in limits,
    )
    # DynamoDB holds nothing nearer to zero.
    return drawn.filter(lambda one: one == 0 or abs(one) >= 1e-130)


def _strings(limits: _Limits) -> SearchStrategy[str]:
    if "pattern" in limits:
        return st.from_regex(limits["pattern"])
    return texts(**limits.sizes(0, 20))


_SCALARS: Final[dict[Any, Callable[[_Limits], SearchStrategy[Any]]]] = {
    str: _strings,
    int: _integers,
    float: _floats,
    bool: lambda _: st.booleans(),
    Decimal: _decimals,
    bytes: lambda limits: st.binary(**limits.sizes(0, 20)),
    bytearray: lambda limits: st.binary(**limits.sizes(0, 20)).map(bytearray),
    datetime: lambda _: st.datetimes(timezones=_ZONES),
    date: lambda _: st.dates(),
    time: lambda _: st.times(),
    timedelta: lambda _: st.timedeltas(),
    type(None): lambda _: st.none(),
}
