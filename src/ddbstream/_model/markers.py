"""What a user writes on and in a model class: ``Attribute``, ``Epoch``, ``keys`` and ``model``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, get_args

from ddbstream._values.callables import check_function
from ddbstream._values.tags import StoredAs
from ddbstream.exceptions import ModelDefinitionError

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate

C = TypeVar("C", bound="type[Any]")

Rename = Literal["camelCase", "PascalCase", "kebab-case", "SCREAMING_SNAKE_CASE"]

#: The class attributes in which the decorators keep what they were given.
KEYS = "__ddbstream_keys__"
OPTIONS = "__ddbstream_options__"


#: Class attributes by which the libraries that make classes with fields are recognised.
FIELD_MARKS = (
    "__dataclass_fields__",
    "__pydantic_fields__",
    "__attrs_attrs__",
    "__struct_fields__",
    "_field_defaults",
)


def plain_name(name: Any) -> str:
    """A name as a plain ``str``: generated code shows it, so no subclass has a say in that.

    Raises:
        ModelDefinitionError: It is no text.
    """
    if not isinstance(name, str):
        raise ModelDefinitionError(f"a name is text, not a {type(name).__name__}")
    return str.__str__(name)


class _Marker:
    __slots__: tuple[str, ...] = ()
    _names: ClassVar[tuple[str, ...]] = ()

    def _said(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._names)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, _Marker)
            and type(other) is type(self)
            and other._said() == self._said()
        )

    def __hash__(self) -> int:
        return hash((type(self), self._said()))

    def __repr__(self) -> str:
        said = zip(self._names, self._said(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{n}={v!r}' for n, v in said if v is not None)})"


class Attribute(_Marker):
    """Says how one field is stored: ``Annotated[str, Attribute("PK")]``.

    Args:
        name: The DynamoDB attribute's name, if it is not the field's.
        structure: Makes the field's value from the attribute's, as read without a model.
        unstructure: Turns the field's value into one that DynamoDB has a type for.
        tags: The tag of each class of the annotation's union. What is stored is a map of one
            attribute, the tag, around the instance: ``{"circle": {…}}``.
        stored_as: The DynamoDB type, where it is not the usual one: ``"L"`` for a named tuple,
            ``"SS"``, ``"NS"`` or ``"BS"`` for a list, whose members are then each another.

    Raises:
        ModelDefinitionError: What is said cannot be, or more than one way of storing is.
    """

    __slots__ = ("name", "stored_as", "structure", "tags", "unstructure")
    _names = __slots__

    def __init__(
        self,
        name: str | None = None,
        *,
        structure: Callable[[Any], Any] | None = None,
        unstructure: Callable[[Any], Any] | None = None,
        tags: Mapping[str, Any] | None = None,
        stored_as: StoredAs | None = None,
    ) -> None:
        if name is not None and (not name or not isinstance(name, str)):
            raise ModelDefinitionError("an attribute's name is text, and not empty")
        for about, function in (("structure=", structure), ("unstructure=", unstructure)):
            if function is not None:
                check_function(function, about, ModelDefinitionError, arguments=1)
        if stored_as is not None and stored_as not in get_args(StoredAs):
            raise ModelDefinitionError(f"stored_as= is one of {', '.join(get_args(StoredAs))}")
        if tags is not None and (not tags or "" in tags):
            raise ModelDefinitionError("tags= has a tag for each class, and none is empty")
        if sum((bool(structure or unstructure), tags is not None, stored_as is not None)) > 1:
            raise ModelDefinitionError("conversions, tags= and stored_as= exclude each other")
        self.name = name if name is None else plain_name(name)
        self.structure = structure
        self.unstructure = unstructure
        #: Pairs, since a dict has no hash.
        self.tags: tuple[tuple[str, Any], ...] | None = None
        if tags is not None:
            self.tags = tuple((plain_name(tag), cls) for tag, cls in tags.items())
        self.stored_as = stored_as


class Epoch(_Marker):
    """Stores a datetime as a number since 1970-01-01T00:00Z: ``Annotated[datetime, Epoch("s")]``.

    Reading returns an aware UTC datetime, and accepts ISO 8601 text too. Writing accepts aware
    datetimes; a part of a unit is written as a fraction.

    Args:
        unit: ``"s"`` (what DynamoDB's time to live asks for), ``"ms"`` or ``"us"``.
    """

    __slots__ = ("unit",)
    _names = __slots__

    def __init__(self, unit: Literal["s", "ms", "us"]) -> None:
        if unit not in ("s", "ms", "us"):
            raise ModelDefinitionError('Epoch takes "s", "ms" or "us"')
        self.unit = unit


class Options:
    """What ``model`` says about one class; a subclass inherits each option that it does not set.

    Attributes:
        said: The options given, by name.
    """

    __slots__ = ("said",)

    def __init__(self, said: dict[str, Any]) -> None:
        self.said = said

    def __getattr__(self, name: str) -> Any:
        return self.said.get(name)

    def over(self, other: Options | None) -> Options:
        """These options, and what ``other`` says besides."""
        return self if other is None else Options({**other.said, **self.said})


def model(
    *,
    rename: Rename | Callable[[str], str] | None = None,
    unknown: Literal["ignore", "forbid"] | None = None,
    collect: str | None = None,
    none: Literal["null", "omit"] | None = None,
    structure: Callable[[Any], Any] | None = None,
    unstructure: Callable[[Any], Any] | None = None,
) -> Callable[[C], C]:
    """Set options of one class: ``@model(rename="camelCase", unknown="forbid")``.

    Args:
        rename: How attribute names are made from field names; ``Attribute`` and ``keys`` win.
        unknown: Attributes that no field stores are ignored (the default), or are a DecodeError.
        collect: The field, a ``dict[str, Any]``, that takes those attributes and writes them back.
        none: A field that is None is written as ``NULL`` (the default), or left out if its absence
            would be read as None again.
        structure: Makes an instance from an item or attribute, as read without a model.
        unstructure: Turns an instance into a value that DynamoDB has a type for.

    Raises:
        ModelDefinitionError: An option has a value that it cannot have.
    """
    return _marking(options_of(locals()))


def options_of(given: dict[str, Any]) -> Options:
    """Check options and keep those that were given; raises ModelDefinitionError."""
    said = {name: value for name, value in given.items() if value is not None}
    allowed: dict[str, tuple[str, ...]] = {
        "unknown": ("ignore", "forbid"),
        "none": ("null", "omit"),
        "rename": tuple(_RENAMES),
    }
    for name, choices in allowed.items():
        value = said.get(name, choices[0])
        if value not in choices and not (name == "rename" and callable(value)):
            raise ModelDefinitionError(f"{name}= is one of {', '.join(choices)}")
    for name in ("rename", "structure", "unstructure"):
        if name in said and not isinstance(said[name], str):
            check_function(said[name], f"{name}=", ModelDefinitionError, arguments=1)
    for step in said.get("upgrades", ()):
        if isinstance(step, type) or not callable(step):
            raise ModelDefinitionError(f"an upgrade's step is a function, not a {_kind(step)}")
        check_function(step, "an upgrade's step", ModelDefinitionError, arguments=1)
    return Options(said)


def _kind(value: object) -> str:
    return "class" if isinstance(value, type) else type(value).__name__


def renamer(policy: Any) -> Callable[[str], str]:
    """The function that makes attribute names from field names, for a value of ``rename=``."""
    if policy is None:
        return plain_name
    own: Callable[[str], str] | None = None if isinstance(policy, str) else policy
    return own or _RENAMES[policy]


def _camel(name: str) -> str:
    pascal = _pascal(name)
    return pascal[:1].lower() + pascal[1:]


def _pascal(name: str) -> str:
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def _kebab(name: str) -> str:
    return name.strip("_").replace("_", "-")


_RENAMES: dict[str, Callable[[str], str]] = {
    "camelCase": _camel,
    "PascalCase": _pascal,
    "kebab-case": _kebab,
    "SCREAMING_SNAKE_CASE": str.upper,
}


def _marking(options: Options) -> Callable[[C], C]:
    def mark(cls: C) -> C:
        setattr(cls, OPTIONS, options.over(getattr(cls, OPTIONS, None)))
        return cls

    return mark


def keys(**templates: str) -> Callable[[C], C]:
    """Read a class's fields out of composite keys, and write them back.

    ``@keys(PK="Product#{id}", SK="User#Product")`` reads the field ``id`` from the attribute
    ``PK`` and requires ``SK`` to be that text. ``{{`` and ``}}`` stand for braces;
    ``{number:06d}`` formats.

    Args:
        templates: Attribute name to template.

    Raises:
        ModelDefinitionError: A template that cannot be read back: unbalanced braces, or two fields
            with nothing between them.
    """
    parsed = parsed_templates(templates)

    def mark(cls: C) -> C:
        inherited: dict[str, KeyTemplate] = getattr(cls, KEYS, {})
        setattr(cls, KEYS, {**inherited, **parsed})
        return cls

    return mark


def parsed_templates(templates: Mapping[str, str]) -> dict[str, KeyTemplate]:
    """Parse key templates, by attribute name; raises ModelDefinitionError."""
    # Late: only classes with keys need the parser.
    from ddbstream._model.key_templates import KeyTemplate

    return {
        plain_name(name): KeyTemplate(plain_name(name), plain_name(text))
        for name, text in templates.items()
    }
