"""The plan of a model: reads and writes whole items, and generates their decoder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ddbstream._model.class_specs import MISSING
from ddbstream._model.field_paths import Place, field_at, places, value_at
from ddbstream._model.markers import Options
from ddbstream._model.nodes import FAILED, MapNode, ReadErrors
from ddbstream._model.planner import Planner, show
from ddbstream._model.roads import Structs
from ddbstream._model.source import Emitter, compile_source
from ddbstream._values.attribute_values import Other
from ddbstream._values.paths import Parts
from ddbstream._values.tags import guarded
from ddbstream.exceptions import ModelDefinitionError


class ModelPlan:
    """A model, planned.

    Args:
        model: The class, or a generic class with its arguments.
        registered: What a registry says about a class, if there is a registry.
        write_other: Writes what ``Any`` holds and DynamoDB has no type for.

    Attributes:
        root: The node of the model.
        name: The model's name.

    Raises:
        ModelDefinitionError: The class cannot work as a model.
    """

    def __init__(
        self,
        model: Any,
        registered: Callable[[Any], Options | None] | None,
        write_other: Other,
    ) -> None:
        try:
            self.root = Planner(registered or (lambda _: None), write_other).root(model)
        except ModelDefinitionError as error:
            error.located(model=model)
            raise
        except RecursionError:
            problem = "its annotations are nested too deeply, or without an end"
        else:
            problem = ""
        if problem:
            raise ModelDefinitionError(problem, model=model)
        self.name = show(model)

    def read(self, item: Any) -> Any:
        """Read an item by the nodes; raises DecodeError with every error of the item."""
        errors = ReadErrors()

        def read(item: Any, path: tuple[()]) -> Any:
            if isinstance(self.root, MapNode):
                return self.root.read_map(item, path, errors)
            return self.root.read({"M": item}, path, errors)

        made = guarded(read, item, "an item")
        if made is FAILED:
            raise errors.as_one()
        return made

    def write(self, obj: Any, json: bool) -> dict[str, Any]:
        """Write an instance as an item; raises EncodeError."""
        if isinstance(self.root, MapNode):
            return self.root.write_map(obj, json, 0)
        value = self.root.write(obj, json, -1)
        if "M" not in value:
            raise self.root.refuse(obj)
        item: dict[str, Any] = value["M"]
        return item

    def places(self, parts: Parts, *, every: bool, strict: bool) -> list[Place]:
        """The places that a path in field or attribute names means."""
        return places(self.root, parts, every=every, strict=strict)

    def value_at(self, obj: Any, parts: Parts, default: Any) -> Any:
        """What an object of the model has at a path in attribute names, or ``default``."""
        found = value_at(self.root, obj, parts)
        return default if found is MISSING else found

    def field_at(self, obj: Any, place: Place, default: Any) -> Any:
        """The field of an object that a place is about, or ``default``."""
        found = field_at(self.root, obj, place)
        return default if found is MISSING else found

    def decoder(
        self, read_slowly: Callable[[Any], Any], owner: object
    ) -> tuple[Callable[[Any], Any], str]:
        """Generate the function that reads an item, and its source.

        Args:
            read_slowly: Reads what the generated code does not.
            owner: When this is gone, so is the source that tracebacks show.
        """
        e = Emitter()
        with e.block("try:"):
            if isinstance(self.root, MapNode):
                self.root.emit_map(e, "item", "made")
            else:
                e.line('value = {"M": item}')
                self.root.emit(e, "value", "made")
            e.settle()
            e.line("return made")
        with e.block("except Exception:"):
            e.line("pass  # the slow reader says what it was, and outside of this handler")
        e.line(f"return {e.const(read_slowly, 'read_slowly')}(item)")
        source = e.source("def decode(item):")
        return compile_source(source, e.names, self.name, owner)["decode"], source

    def json_decoder(self, owner: object) -> tuple[Callable[[Any], Any], str]:
        """Generate the function that reads an item's JSON, and its source.

        The function raises anything for what it does not read.

        Args:
            owner: When this is gone, so is the source that tracebacks show.

        Raises:
            KeyError: msgspec is not loaded.
        """
        structs = Structs()
        types = structs.types(self.root)
        e = Emitter()
        if types is None or tuple(types) != ("M",):
            e.line(f"value = {{'M': {e.const(structs.decoder(Any), 'loads')}(text)}}")
            self.root.emit(e, "value", "made")
        else:
            e.line(f"item = {e.const(structs.decoder(types['M']), 'loads')}(text)")
            with e.payloads(typed=True):
                self.root.emit_tagged(e, "M", "item", "made", structs)
        e.settle()
        e.line("return made")
        source = e.source("def read_json(text):")
        return compile_source(source, e.names, f"{self.name} JSON", owner)["read_json"], source
