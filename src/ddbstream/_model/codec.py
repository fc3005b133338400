"""The codec of a model: its plan, and the code generated from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ddbstream._model import Codec
from ddbstream._model.nodes import FAULT, Faults, MapNode
from ddbstream._model.plan import Planner, show
from ddbstream._model.source import Emitter, compile_source
from ddbstream._values.tags import guarded
from ddbstream.exceptions import DDBStreamError, ModelDefinitionError

if TYPE_CHECKING:
    from ddbstream._model.registry import Registry

T = TypeVar("T")


class ModelCodec(Codec[T]):
    """A model's codec; the class is planned at once, and code is generated at the first decode."""

    def __init__(self, model: Any, registry: Registry | None) -> None:
        super().__init__(registry)
        planner = Planner(registry, self.write_other)
        try:
            self._plan = planner.root(model)
        except ModelDefinitionError as error:
            error.located(model=model)
            raise
        self.model = model
        self.name = show(model)
        fields = getattr(self._plan, "fields", ())
        self.attributes = {f.name: f.attribute for f in fields if not f.collects}
        self._source: str | None = None

    def decode(self, item: Mapping[str, Any]) -> T:
        """Generate the decoder at the first call, and step aside for it."""
        if self._source is None:
            # who keeps this method, and calls it again, gets the decoder too
            self._generate()
        return self.decode(item)

    @property
    def source(self) -> str:
        """The generated decoder's source."""
        if self._source is None:
            self._generate()
        assert self._source is not None
        return self._source

    def _generate(self) -> None:
        e = Emitter()
        with e.block("try:"):
            if isinstance(self._plan, MapNode):
                self._plan.emit_map(e, "item", "made")
            else:
                e.line('value = {"M": item}')
                self._plan.emit(e, "value", "made")
            e.settle()
            e.line("return made")
        with e.block("except Exception:"):
            e.line("pass  # whatever it was, the slow reader says it in words, and not in here")
        e.line(f"return {e.const(self.read_slowly, 'read_slowly')}(item)")
        source = e.source("def decode(item):")
        made = compile_source(source, e.names, self.name, self)
        self.decode = made["decode"]  # type: ignore[method-assign]
        self._source = source  # last: another thread takes it for a sign that the decoder is there

    def read_slowly(self, item: Any) -> T:
        """Read what the generated code did not; raises DecodeError with every fault of the item."""
        faults = Faults()

        def read(item: Any, path: tuple[()]) -> Any:
            if isinstance(self._plan, MapNode):
                return self._plan.read_map(item, path, faults)
            return self._plan.read({"M": item}, path, faults)

        try:
            made: T = guarded(read, item, "an item")
        except DDBStreamError as error:
            error.located(model=self.model)
            raise
        if made is not FAULT:
            return made
        raise _as_one(faults.errors).located(model=self.model)

    def _write(self, obj: Any, json: bool) -> dict[str, Any]:
        if isinstance(self._plan, MapNode):
            return self._plan.write_map(obj, json, 0)
        value = self._plan.write(obj, json, -1)
        if "M" not in value:
            raise self._plan.refuse(obj)
        inner: dict[str, Any] = value["M"]
        return inner

    def write_value(self, obj: Any, json: bool, depth: int) -> dict[str, Any]:
        return self._plan.write(obj, json, depth)


def _as_one(faults: list[DDBStreamError]) -> DDBStreamError:
    """One error for an item's faults: the first, which knows of the others."""
    first = faults[0]
    if len(faults) == 1:
        return first
    return type(first)(
        first.problem,
        path=first.path,
        expected=first.expected,
        found=first.found,
        errors=faults,
    )
