"""Classes with fields: an ``M``, or a whole item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ddbstream._model.nodes import FAULT, Faults, MapNode, Node, raised
from ddbstream._model.shapes import MISSING
from ddbstream._values.paths import Parts, path_text
from ddbstream._values.tags import placed, type_words
from ddbstream.exceptions import DDBStreamError, DecodeError, EncodeError

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate
    from ddbstream._model.source import Emitter


@dataclass
class Field:
    """One field of a class, planned.

    Attributes are those of ``FieldSpec``, and these.

    Attributes:
        attribute: The attribute that stores it; the first key's that it is part of.
        node: Its kind.
        in_key: Whether it lives in key templates.
        collects: Whether it takes the attributes that no other field stores.
    """

    name: str
    attribute: str
    node: Node
    argument: str | None = None
    positional: bool = False
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    stored: bool = True
    omitted: bool = False
    in_key: bool = False
    collects: bool = False

    @property
    def required(self) -> bool:
        """Whether the attribute has to be there."""
        optional = self.omitted or self.collects or self.argument is None
        return self.default is MISSING and self.factory is None and not optional

    def absent(self) -> Any:
        """The value where the attribute is absent; MISSING if the constructor is to find it."""
        if self.collects:
            return {}
        return MISSING if self.omitted else self.restored()

    def restored(self) -> Any:
        """The value that an absent attribute is read as; MISSING if nobody can know."""
        return self.factory() if self.factory else self.default


@dataclass(eq=False, repr=False)
class ObjectNode(MapNode):
    """A class with fields.

    Attributes:
        cls: The class.
        name: What errors call it.
        fields: In the constructor's order.
        templates: Of its ``@keys``.
        uses: How often it occurs in the plan; once is written in place.
        collector: The field that collects what no other stores, and the kind of that.
        none_omitted: Whether a None is left out where its absence reads as None.
    """

    cls: Any
    name: str
    fields: list[Field] = field(default_factory=list)
    templates: list[KeyTemplate] = field(default_factory=list)
    build: Callable[[dict[str, Any]], Any] | None = None
    direct: bool = False
    mapping: bool = False
    forbid: bool = False
    constants: dict[str, Any] = field(default_factory=dict)
    none_omitted: bool = False
    collector: tuple[str, Node] | None = None
    refused: Callable[[Exception, ObjectNode, Parts, Faults], bool] | None = None
    uses: int = 0

    @property
    def known(self) -> frozenset[str]:
        """The attributes that something stores."""
        return frozenset(
            [f.attribute for f in self.fields if not f.collects]
            + [template.attribute for template in self.templates]
            + list(self.constants)
        )

    # --- reading, slowly ------------------------------------------------------------------------

    def read_map(self, item: Any, path: Parts, faults: Faults) -> Any:
        if not self.sound_map(item, path, faults):
            return FAULT
        before = len(faults.errors)
        values = self._read_keys(item, path, faults) if self.templates else {}
        for f in self.fields:
            if not f.in_key:
                values[f.name] = self._read_field(f, item, path, faults)
        self._read_rest(item, values, path, faults)
        if len(faults.errors) > before or any(value is FAULT for value in values.values()):
            return FAULT
        try:
            return self.construct(values)
        except DDBStreamError:
            raise
        except Exception as error:  # noqa: BLE001 - the class's own code may raise anything
            cause = error
        return self._refused(cause, path, faults)

    def _refused(self, cause: Exception, path: Parts, faults: Faults) -> Any:
        if self.refused is not None and self.refused(cause, self, path, faults):
            return FAULT
        problem = f"{self.name} refused its values with {raised(cause)}"
        return faults.add(DecodeError(problem, path=path_text(path) or None))

    def _read_field(self, f: Field, item: Any, path: Parts, faults: Faults) -> Any:
        if f.collects or f.attribute not in item:
            if f.required:
                return faults.note((*path, f.attribute), f.node.words, "nothing")
            return f.absent()
        return f.node.read(item[f.attribute], (*path, f.attribute), faults)

    def _read_rest(self, item: Any, values: dict[str, Any], path: Parts, faults: Faults) -> None:
        """Check the class's constants, and collect or refuse what no field stores."""
        for name, constant in self.constants.items():
            if item.get(name) != constant:
                faults.note((*path, name), f"the tag of {self.name}", "another")
        if not self.forbid and self.collector is None:
            return
        known = self.known
        for name in item:
            if name in known:
                continue
            if self.collector is None:
                faults.note((*path, str(name)), f"no attribute besides those of {self.name}", "one")
            elif not isinstance(name, str):
                faults.note(path, "text as attribute names", type_words(name))
            else:
                field_name, node = self.collector
                values[field_name][name] = node.read(item[name], (*path, name), faults)

    def _read_keys(self, item: Any, path: Parts, faults: Faults) -> dict[str, Any]:
        from ddbstream._model.key_fields import read_keys

        return read_keys(self, item, path, faults)

    def construct(self, values: dict[str, Any]) -> Any:
        """Make an instance of its fields' values, by field name."""
        positional: list[Any] = []
        named: dict[str, Any] = {}
        for f in self.fields:
            if f.argument is None or values[f.name] is MISSING:
                continue
            if f.positional and self.build is None and not any(g.omitted for g in self.fields):
                positional.append(values[f.name])
            else:
                named[f.argument] = values[f.name]
        made = self.build(named) if self.build else self.cls(*positional, **named)
        for f in self.fields:
            if f.argument is None and values[f.name] is not MISSING:
                object.__setattr__(made, f.name, values[f.name])
        return made

    # --- writing --------------------------------------------------------------------------------

    def write_map(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        if not self.holds(value):
            raise EncodeError(expected=self.name, found=type(value).__name__)
        written = dict(self.constants)
        if self.templates:
            from ddbstream._model.key_fields import write_keys

            written.update(write_keys(self, value))
        for f in self.fields:
            if f.in_key:
                continue
            member = self.get(f, value)
            if member is MISSING or self._left_out(f, member):
                continue
            try:
                if f.collects:
                    self._write_collected(f, member, written, json, depth)
                else:
                    member = value if f.node.whole else member
                    written[f.attribute] = f.node.write(member, json, depth)
            except EncodeError as error:
                if not f.collects:
                    placed(error, f.attribute)
                raise
        return written

    def _write_collected(
        self, f: Field, member: Any, written: dict[str, Any], json: bool, depth: int
    ) -> None:
        rest = f.node.write(member, json, depth - 1)["M"]
        clash = sorted(self.known.intersection(rest))
        if clash:
            raise EncodeError(
                "a collected attribute has the name of a field's", path=path_text((clash[0],))
            )
        written.update(rest)

    def get(self, f: Field, value: Any) -> Any:
        """An instance's field; MISSING if it has none and needs none; raises EncodeError."""
        if self.mapping:
            member = value.get(f.name, MISSING)
        else:
            member = getattr(value, f.name, MISSING)
            if not f.stored and member is getattr(self.cls, f.name, None):
                member = MISSING  # an InitVar's default is the class's attribute
        if member is MISSING and f.required:
            raise EncodeError(
                expected=f.node.words, found="nothing", path=path_text((f.attribute,))
            )
        return member

    def _left_out(self, f: Field, member: Any) -> bool:
        """Whether the attribute is not written, because its absence reads as the same value."""
        if member is None:
            return self.none_omitted and not f.required and f.restored() is None
        if f.node.left_out(member):
            return not f.required and f.restored() == member
        # msgspec's UNSET says by its name what it is
        return type(member).__name__ == "UnsetType" and f.default is member

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping if self.mapping else self.cls)

    # --- generated code -------------------------------------------------------------------------

    def emit(self, e: Emitter, source: str, target: str) -> None:
        if self.uses > 1:
            e.single(source)
            function = e.helper(self, self.name, lambda item, made: self.emit_map(e, item, made))
            with e.deeper(checked=True):
                e.line(f'{target} = {function}({source}["M"], {e.depth})')
            return
        super().emit(e, source, target)

    def emit_map(self, e: Emitter, item: str, target: str) -> None:
        from ddbstream._model.emit_object import emit_object

        emit_object(self, e, item, target)
