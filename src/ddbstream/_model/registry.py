"""Registries: what a whole router knows about classes that say nothing themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from ddbstream._model.markers import Options, Rename, options_of

if TYPE_CHECKING:
    from ddbstream._model import Codec
    from ddbstream._values.attribute_values import Wire
    from ddbstream.typing import Item

M = TypeVar("M")


class Registry:
    """Conversions and options for classes, without touching the classes, and without a global.

    Give it to a router, to ``from_item``, ``to_item`` and ``parse``, or read and write with it.
    What it says about a class wins over what the class says itself. Register before the first use
    of a model; a route reads its model with what the registry says when the route is declared.

    >>> registry = Registry()
    >>> registry.register(complex, structure=complex, unstructure=str)
    """

    def __init__(self) -> None:
        self._options: dict[Any, Options] = {}
        self.codecs: dict[Any, Codec[Any]] = {}

    def register(
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
    ) -> None:
        """Say how a class is stored; the arguments are those of ``model``, and ``keys``.

        Args:
            cls: The class; also a ``NewType``, or any other annotation that can be a dict's key.
            keys: Key templates by attribute name, as in the decorator ``keys``.
            rename: As in ``model``.
            unknown: As in ``model``.
            collect: As in ``model``.
            none: As in ``model``.
            structure: As in ``model``.
            unstructure: As in ``model``.

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
        }
        options = options_of(given)
        if keys is not None:
            from ddbstream._model.key_templates import KeyTemplate

            options.said["keys"] = {name: KeyTemplate(name, text) for name, text in keys.items()}
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
        from ddbstream._model import from_item

        return from_item(item, model, registry=self)

    def to_item(self, obj: Any, *, wire: Wire = "boto3", model: Any = None) -> Item:
        """As ``ddbstream.to_item``, with this registry."""
        from ddbstream._model import to_item

        return to_item(obj, wire=wire, model=model, registry=self)
