"""Codecs: reading items into a class and writing its instances as items.

Rules:

- A class has one codec, kept on the class itself; with a `Registry`, one codec kept there.
- A class is planned when its codec is made, so that one that cannot work fails there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from ddbstream._model.markers import (
    FIELD_MARKS,
    OPTIONS,
    Options,
    Rename,
    options_of,
    parsed_templates,
)
from ddbstream._values.attribute_values import Wire, read_map, wire_is_json, write_map
from ddbstream._values.tags import MAX_DEPTH
from ddbstream.exceptions import DDBStreamError, EncodeError, ModelDefinitionError

if TYPE_CHECKING:
    from ddbstream._model.field_paths import Place
    from ddbstream._model.upgrades import AnyStep
    from ddbstream._values.paths import Parts
    from ddbstream.typing import Item

T = TypeVar("T")
M = TypeVar("M")

#: The class attribute that keeps a class's codec, which is freed with the class.
_CODEC = "__ddbstream_codec__"

#: The class attributes by which an object of a model is recognised.
_MARKS = (OPTIONS, *FIELD_MARKS)

#: Codecs of models that cannot have an attribute set: ``Page[int]``, unions. A program has a few;
#: the bound is for one that makes them without end.
_MAX_OTHER_CODECS = 1000
_other_codecs: dict[Any, Codec[Any]] = {}


class Codec(Generic[T]):
    """Reads items into a model and writes them back. This one is the codec without a model.

    Attributes:
        model: The class; None without one.
        name: Its name; ``"dict"`` without one.
        registry: The registry that it was made with, if any.
    """

    model: type[T] | None = None
    name: str = "dict"

    def __init__(self, registry: Registry | None = None) -> None:
        self.registry = registry
        if type(self) is Codec:
            self.decode = read_map  # type: ignore[method-assign, assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        # Generated code cannot be pickled: the other process makes its own from the class.
        return (codec_for, (self.model, self.registry))

    def decode(self, item: Mapping[str, Any]) -> T:
        """Read an item; raises DecodeError with a path relative to it."""
        raise NotImplementedError

    def read_json(self, text: Any) -> T:
        """Read an item from its JSON, a slice of msgspec's.

        Raises anything where `decode` has to read the item in its stead; without a model always.
        """
        raise NotImplementedError

    def encode(self, obj: T, wire: Wire = "boto3") -> Item:
        """Write an object as an item; raises EncodeError with a path relative to it."""
        json = wire_is_json(wire)
        try:
            return self._write(obj, json)
        except EncodeError as error:
            error.located(model=self.model)
            raise
        except RecursionError:
            pass
        raise EncodeError(expected=f"at most {MAX_DEPTH} levels", found="more", model=self.model)

    def _write(self, obj: Any, json: bool) -> dict[str, Any]:
        if not isinstance(obj, Mapping):
            raise EncodeError(expected="dict", found=type(obj).__name__)
        return write_map(obj, json, 0, self.write_other)

    def write_other(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        """Write a model's instance that was found inside plain data; raises EncodeError."""
        codec = _codec_of(value, self.registry)
        if codec is None:
            raise EncodeError(
                expected="a value DynamoDB has a type for", found=type(value).__name__
            )
        return codec.write_value(value, json, depth)

    def write_value(self, obj: Any, json: bool, depth: int) -> dict[str, Any]:
        """Write an object as an attribute value; raises EncodeError."""
        raise NotImplementedError

    def places(self, parts: Parts, *, every: bool = False, strict: bool = False) -> list[Place]:
        """The places that a path in field or attribute names means: see ``field_paths.places``."""
        raise NotImplementedError

    def value_at(self, obj: T, parts: Parts, default: Any) -> Any:
        """What an object of the model has at a path in attribute names, or ``default``."""
        raise NotImplementedError

    def field_at(self, obj: T, place: Place, default: Any) -> Any:
        """The field of an object that a place is about, or ``default``."""
        raise NotImplementedError


class ModelCodec(Codec[T]):
    """A model's codec; the class is planned at once, and code is generated at the first decode."""

    def __init__(self, model: Any, registry: Registry | None) -> None:
        # Late: a program that only reads plain items need not load what plans classes.
        from ddbstream._model.model_plan import ModelPlan

        super().__init__(registry)
        self._plan = ModelPlan(model, registry.options if registry else None, self.write_other)
        self.model = model
        self.name = self._plan.name
        self._source: str | None = None

    def decode(self, item: Mapping[str, Any]) -> T:
        """Generate the decoder at the first call; later calls go to it directly."""
        if self._source is None:
            # a caller may have kept this method: then every call comes through here
            self._generate()
        return self.decode(item)

    def read_json(self, text: Any) -> T:
        try:
            read, self.json_source = self._plan.json_decoder(self)
        except ValueError:  # msgspec has no struct with an attribute of such a name
            read = super().read_json
        self.read_json = read  # type: ignore[method-assign, assignment]
        return self.read_json(text)

    @property
    def source(self) -> str:
        """The generated decoder's source."""
        if self._source is None:
            self._generate()
        assert self._source is not None
        return self._source

    def _generate(self) -> None:
        decode, source = self._plan.decoder(self.read_slowly, self)
        self.decode = decode  # type: ignore[method-assign, assignment]
        self._source = source  # last, since other threads check it before they use the decoder

    def read_slowly(self, item: Any) -> T:
        """Read what the generated code did not; raises DecodeError with every error of the item."""
        try:
            made: T = self._plan.read(item)
        except DDBStreamError as error:
            error.located(model=self.model)
            raise
        return made

    def _write(self, obj: Any, json: bool) -> dict[str, Any]:
        return self._plan.write(obj, json)

    def write_value(self, obj: Any, json: bool, depth: int) -> dict[str, Any]:
        return self._plan.root.write(obj, json, depth)

    def places(self, parts: Parts, *, every: bool = False, strict: bool = False) -> list[Place]:
        return self._plan.places(parts, every=every, strict=strict)

    def value_at(self, obj: Any, parts: Parts, default: Any) -> Any:
        return self._plan.value_at(obj, parts, default)

    def field_at(self, obj: Any, place: Place, default: Any) -> Any:
        return self._plan.field_at(obj, place, default)


class Registry:
    """Conversions and options for classes, with no change to the classes and no global state.

    Give it to a router, to ``from_item``, ``to_item`` and ``parse``, or read and write with it.
    What it says about a class wins over what the class says itself. Register before the first use
    of a model; a route reads its model with what the registry says when the route is declared.

    >>> registry = Registry()
    >>> registry.register(complex, structure=complex, unstructure=str)
    """

    def __init__(self) -> None:
        self._options: dict[Any, Options] = {}
        self.codecs: dict[Any, Codec[Any]] = {}

    def register(  # noqa: PLR0913 - each is an option of its own
        self,
        cls: Any,
        *,
        keys: Mapping[str, str] | None = None,
        rename: Rename | Callable[[str], str] | None = None,
        unknown: Literal["ignore", "forbid"] | None = None,
        collect: str | None = None,
        none: Literal["null", "omit"] | None = None,
        structure: Callable[[Any], Any] | None = None,
        unstructure: Callable[[Any], Any] | None = None,
        upgrades: Sequence[AnyStep] = (),
    ) -> None:
        """Say how a class is stored: the arguments of ``model``, ``keys`` and ``upgrade``.

        Args:
            cls: The class; also a ``NewType``, or any other annotation that can be a dict's key.
            keys: Key templates by attribute name, as in the decorator ``keys``.
            rename: As in ``model``.
            unknown: As in ``model``.
            collect: As in ``model``.
            none: As in ``model``.
            structure: As in ``model``.
            unstructure: As in ``model``.
            upgrades: Steps, as in ``upgrade``; in place of those that the class has.

        Raises:
            ModelDefinitionError: An option that cannot be.
        """
        given = {
            "rename": rename,
            "unknown": unknown,
            "collect": collect,
            "none": none,
            "structure": structure,
            "unstructure": unstructure,
            "upgrades": tuple(upgrades) or None,
        }
        options = options_of(given)
        if keys is not None:
            options.said["keys"] = parsed_templates(keys)
        self._options[cls] = options
        self.codecs.clear()

    def options(self, cls: Any) -> Options | None:
        """What was registered for a class."""
        try:
            return self._options.get(cls)
        except TypeError:  # an annotation without a hash
            return None

    @overload
    def from_item(self, item: Mapping[str, Any], model: None = None) -> dict[str, Any]: ...
    @overload
    def from_item(self, item: Mapping[str, Any], model: type[M]) -> M: ...

    def from_item(self, item: Mapping[str, Any], model: Any = None) -> Any:
        """As ``ddbstream.from_item``, with this registry."""
        return from_item(item, model, registry=self)

    def to_item(self, obj: Any, *, wire: Wire = "boto3", model: Any = None) -> Item:
        """As ``ddbstream.to_item``, with this registry."""
        return to_item(obj, wire=wire, model=model, registry=self)


_UNTYPED: Codec[Any] = Codec()


@overload
def codec_for(model: None, registry: Registry | None = None) -> Codec[dict[str, Any]]: ...
@overload
def codec_for(model: type[T], registry: Registry | None = None) -> Codec[T]: ...


def codec_for(model: Any, registry: Registry | None = None) -> Codec[Any]:
    """The codec of a class, the same one each time.

    Args:
        model: The class, or a generic class with its arguments; None is a plain dict.
        registry: What it says about classes wins over what they say.

    Raises:
        ModelDefinitionError: The class cannot work as a model: the message names field and
            annotation.
    """
    if model is None or model is dict:
        return _UNTYPED if registry is None else Codec(registry)
    if registry is None and isinstance(model, type):
        own: Codec[Any] | None = model.__dict__.get(_CODEC)
        if own is not None:
            return own
    codecs = _other_codecs if registry is None else registry.codecs
    try:
        known = codecs.get(model)
    except TypeError:
        raise ModelDefinitionError(f"no model class, but a {type(model).__name__}") from None
    if known is not None:
        return known
    made: Codec[Any] = ModelCodec(model, registry)
    if registry is None and isinstance(model, type):
        with suppress(AttributeError, TypeError):
            setattr(model, _CODEC, made)
            return made
    if len(codecs) >= _MAX_OTHER_CODECS:
        codecs.clear()
    codecs[model] = made
    return made


def _codec_of(value: Any, registry: Registry | None) -> Codec[Any] | None:
    """The codec of a value's class, if that is a model."""
    cls = type(value)
    registered = registry is not None and registry.options(cls) is not None
    if registered or any(hasattr(cls, mark) for mark in _MARKS):
        return codec_for(cls, registry)
    return None


@overload
def from_item(
    item: Mapping[str, Any], model: None = None, *, registry: Registry | None = None
) -> dict[str, Any]: ...
@overload
def from_item(
    item: Mapping[str, Any], model: type[M], *, registry: Registry | None = None
) -> M: ...


def from_item(
    item: Mapping[str, Any], model: Any = None, *, registry: Registry | None = None
) -> Any:
    """Read a DynamoDB item, of either wire.

    Args:
        item: Attribute names to attribute values, as from boto3's client or in Lambda's JSON.
        model: The class to read it into; without one the result is a plain dict.
        registry: What it says about classes wins over what they say.

    Raises:
        DecodeError: The item does not fit; ``errors`` has every one if there are several.
        ModelDefinitionError: The class cannot work as a model.
    """
    if model is None:
        return read_map(item)
    return codec_for(model, registry).decode(item)


def to_item(
    obj: Any, *, wire: Wire = "boto3", model: Any = None, registry: Registry | None = None
) -> Item:
    """Write a model's instance, or a mapping of Python values, as a DynamoDB item.

    Args:
        obj: The object.
        wire: ``"boto3"`` leaves binaries as bytes, ``"json"`` writes them as base64 text.
        model: What the object is, where its class does not say it: ``Page[Product]``, a TypedDict.
        registry: What it says about classes wins over what they say.

    Raises:
        EncodeError: A value has no place in DynamoDB; ``path`` says which.
        ModelDefinitionError: The object's class cannot work as a model.
    """
    codec: Codec[Any] | None
    if model is not None or isinstance(obj, Mapping):
        codec = codec_for(model, registry)
    else:
        codec = _codec_of(obj, registry)
    if codec is None:
        raise EncodeError(expected="a model's instance or a mapping", found=type(obj).__name__)
    return codec.encode(obj, wire)
