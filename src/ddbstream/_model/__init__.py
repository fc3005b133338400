"""Models: classes to and from items.

A class becomes a plan (``_plan``: a node for each annotation), and the plan becomes source that reads the usual item
fast (``_source``). Whatever that code does not take is read again by the nodes themselves, which know the path and the
words for what is wrong, and take the unusual: the nodes are the meaning, the generated code is their fast path.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from .._attribute_value import MAX_DEPTH, Wire, read_map, write_map
from ..exceptions import DDBStreamError, DecodeError, EncodeError, ModelDefinitionError
from ._markers import Attribute, Epoch, keys

if TYPE_CHECKING:
    from ..typing import Item
    from ._objects import ObjectNode

__all__ = ["Attribute", "Codec", "Epoch", "codec_for", "codec_of_instance", "from_item", "keys", "to_item"]

T = TypeVar("T")
M = TypeVar("M")


class Codec(Generic[T]):
    """Reads items into one model and writes them back; made by ``codec_for``.

    Attributes:
        model: The class; None without one.
        name: Its name; ``"dict"`` without one.
        attributes: Field name to the name of the top-level attribute that stores it.
        decode: Reads an item; raises DecodeError with a path relative to it.
    """

    model: type[T] | None = None
    name = "dict"
    attributes: Mapping[str, str] = {}

    def decode(self, item: Mapping[str, Any]) -> T:
        return read_map(item)  # type: ignore[return-value]

    def encode(self, obj: T, wire: Wire = "boto3") -> Item:
        """Write an object as an item; raises EncodeError with a path relative to it."""
        if wire not in ("boto3", "json"):
            raise EncodeError('wire is "boto3" or "json"')
        try:
            return self.write_map(obj, wire == "json")  # type: ignore[return-value]
        except EncodeError as error:
            error.located(model=self.model)
            raise
        except RecursionError:
            pass
        raise EncodeError(expected=f"at most {MAX_DEPTH} levels", found="more", model=self.model)

    def write_map(self, obj: Any, json: bool) -> dict[str, Any]:
        """Write an object's attributes; raises EncodeError."""
        if not isinstance(obj, Mapping):
            raise EncodeError(expected="a mapping", found=type(obj).__name__)
        return write_map(obj, json, 0)

    def write(self, obj: Any, json: bool) -> dict[str, Any]:
        """Write an object as an attribute value."""
        return {"M": self.write_map(obj, json)}


class _ModelCodec(Codec[T]):
    def __init__(self, model: type[T], plan: ObjectNode) -> None:
        self.model = model
        self.name = plan.name
        self.attributes = {field.name: field.attribute for field in plan.fields}
        self._plan = plan
        self._source: str | None = None
        self.write_map = plan.write_map  # type: ignore[method-assign]

    def decode(self, item: Mapping[str, Any]) -> T:
        """Generate the decoder, and step aside for it."""
        made = self._generate()
        self.decode = made  # type: ignore[method-assign]
        result: T = made(item)
        return result

    @property
    def source(self) -> str:
        """The generated source of the decoder."""
        if self._source is None:
            self._generate()
        assert self._source is not None
        return self._source

    def _generate(self) -> Any:
        from ._source import Emitter, compile_source

        e = Emitter()
        e.names["read_slowly"] = self.read_slowly
        with e.block("try:"):
            self._plan.emit_map(e, "item", "made")
            e.settle()
            e.line("return made")
        with e.block("except Exception:"):
            e.line("pass  # the slow reader says what is wrong, outside of this handler")
        e.line("return read_slowly(item)")
        self._source = e.source("def decode(item):")
        return compile_source(self._source, e.names, "decode", self.name)

    def read_slowly(self, item: Any) -> T:
        """Read what the generated code did not; raises DecodeError with every fault of the item."""
        from ._nodes import FAULT, Faults

        faults = Faults()
        problem = ""
        try:
            made: T = self._plan.read_map(item, (), faults)
            if made is not FAULT:  # type: ignore[comparison-overlap]
                return made
        except DDBStreamError as error:
            error.located(model=self.model)
            raise
        except RecursionError:
            problem = f"nested deeper than DynamoDB's {MAX_DEPTH} levels"
        except Exception as error:  # a Mapping of the caller's own may raise anything
            problem = f"unreadable ({type(error).__name__})"
        if problem:
            raise DecodeError(problem, expected="an item", found=type(item).__name__, model=self.model)
        raise _as_one(faults.errors).located(model=self.model)


def _as_one(faults: list[DDBStreamError]) -> DDBStreamError:
    first = faults[0]
    if len(faults) == 1:
        return first
    words = first.problem or f"expected {first.expected}, got {first.found}"
    error = type(first)(
        f"{len(faults)} faults, the first: {words}",
        path=first.path,
        expected=first.expected,
        found=first.found,
        errors=faults,
    )
    error.__cause__ = first.__cause__
    return error


_UNTYPED: Codec[Any] = Codec()
_codecs: dict[Any, Codec[Any]] = {}


def codec_for(model: type[T] | None, registry: Any = None) -> Codec[T]:
    """The codec of a class, the same one each time.

    Raises:
        ModelDefinitionError: The class cannot work as a model: the message names field and annotation.
    """
    if model is None or model is dict:
        return _UNTYPED
    try:
        known = _codecs.get(model)
    except TypeError:
        raise ModelDefinitionError(f"no model class: {type(model).__name__}") from None
    if known is None:
        from ._plan import Planner

        known = _codecs[model] = _ModelCodec(model, Planner().root(model))
    return known


def codec_of_instance(value: Any) -> Codec[Any] | None:
    """The codec of a value's class, if that is a model; used where values are written without a model."""
    cls = type(value)
    if not hasattr(cls, "__dataclass_fields__"):
        return None
    return codec_for(cls)


@overload
def from_item(item: Mapping[str, Any], model: None = None) -> dict[str, Any]: ...
@overload
def from_item(item: Mapping[str, Any], model: type[M]) -> M: ...


def from_item(item: Mapping[str, Any], model: Any = None) -> Any:
    """Read a DynamoDB item, of either wire.

    Args:
        item: Attribute names to attribute values, as from boto3's client or in Lambda's JSON.
        model: The class to read it into; without one the result is a plain dict.

    Raises:
        DecodeError: The item does not fit; ``errors`` has every fault if there are several.
        ModelDefinitionError: The class cannot work as a model.
    """
    return codec_for(model).decode(item)


def to_item(obj: Any, *, wire: Wire = "boto3") -> Item:
    """Write a model instance, or a mapping of Python values, as a DynamoDB item.

    Args:
        obj: The object.
        wire: ``"boto3"`` leaves binaries as bytes, ``"json"`` writes them as base64 text.

    Raises:
        EncodeError: A value has no place in DynamoDB; ``path`` says which.
        ModelDefinitionError: The object's class cannot work as a model.
    """
    codec = _UNTYPED if isinstance(obj, Mapping) else codec_of_instance(obj)
    if codec is None:
        raise EncodeError(expected="a model instance or a mapping", found=type(obj).__name__)
    return codec.encode(obj, wire)
