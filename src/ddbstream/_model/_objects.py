"""Classes with fields: an ``M``, or a whole item."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .._attribute_value import kind_of, path_text, tag_words
from ..exceptions import DDBStreamError, EncodeError
from ._keys import KeyTemplate
from ._nodes import FAULT, Faults, Node, OptionalNode, Path
from ._scalars import Scalar
from ._source import Emitter

MISSING: Any = type("Missing", (), {"__repr__": lambda self: "MISSING"})()


@dataclass
class Field:
    """One field of a class, planned.

    Attributes:
        name: The field's name in the class.
        parameter: How the constructor takes it: ``"positional"``, ``"keyword"``, or None if it does not.
        attribute: The attribute that stores it.
        default: Its value where the attribute is absent, or MISSING.
        factory: Makes that value, or None.
        stored: Whether instances carry it (an ``InitVar`` they do not).
        key: The template parts it lives in; then ``attribute`` is the first's key attribute.
    """

    name: str
    attribute: str
    node: Node
    parameter: str | None = "positional"
    default: Any = MISSING
    factory: Callable[[], Any] | None = None
    stored: bool = True
    in_key: bool = False

    @property
    def required(self) -> bool:
        return self.default is MISSING and self.factory is None and self.parameter is not None

    def absent(self) -> Any:
        """The value of the absent attribute; MISSING if there is none."""
        return self.factory() if self.factory else self.default

    @property
    def scalar(self) -> Scalar:
        """Its kind inside a key template."""
        node = self.node.inner if isinstance(self.node, OptionalNode) else self.node
        assert isinstance(node, Scalar)
        return node


class ObjectNode(Node):
    """A dataclass, or another class seen the same way."""

    tags = frozenset({"M"})

    def __init__(self, cls: Any, name: str) -> None:
        self.cls, self.name = cls, name
        self.words = "M"
        self.fields: list[Field] = []
        self.templates: list[KeyTemplate] = []
        self.uses = 0
        self.recursive = False
        self.direct = False

    # --- reading, slowly ------------------------------------------------------------------------

    def read(self, value: Any, path: Path, faults: Faults) -> Any:
        if tag_words(value) != "M":
            return self.mismatch(value, path, faults)
        return self.read_map(value["M"], path, faults)

    def read_map(self, item: Any, path: Path, faults: Faults) -> Any:
        """Read an item or map; notes every fault in it."""
        if not isinstance(item, Mapping):
            return faults.note(path, "a map of attribute values", kind_of(item))
        before = len(faults.errors)
        values = self._read_keys(item, path, faults)
        for field in self.fields:
            if not field.in_key:
                values[field.name] = self._read_field(field, item, path, faults)
        if len(faults.errors) > before or any(value is FAULT for value in values.values()):
            return FAULT
        try:
            return self._construct(values)
        except DDBStreamError:
            raise
        except Exception as error:
            cause = error
        problem = f"{self.name} refused its values with {type(cause).__name__}"
        wrong = faults_error(problem, path)
        wrong.__cause__ = cause
        return faults.add(wrong)

    def _read_field(self, field: Field, item: Any, path: Path, faults: Faults) -> Any:
        if field.attribute not in item:
            if field.required:
                return faults.note((*path, field.attribute), field.node.words, "nothing")
            return field.absent()
        return field.node.read(item[field.attribute], (*path, field.attribute), faults)

    def _read_keys(self, item: Any, path: Path, faults: Faults) -> dict[str, Any]:
        texts: dict[str, str] = {}
        values: dict[str, Any] = {}
        fields = {field.name: field for field in self.fields if field.in_key}
        for template in self.templates:
            place = (*path, template.attribute)
            if template.attribute not in item:
                if not template.fields or any(fields[name].required for name in template.fields):
                    faults.note(place, "S", "nothing")
                continue
            value = item[template.attribute]
            tag = tag_words(value)
            text = value["S"] if tag == "S" else None
            if not isinstance(text, str):
                faults.note(place, "S", "malformed S" if tag == "S" else tag)
                continue
            parts = template.match(text)
            if parts is None:
                faults.add(template.mismatch(path))
                continue
            for name, part in zip(template.fields, parts):
                if texts.setdefault(name, part) != part:
                    faults.add(template.mismatch(path, f"the same {name} as in the other key", "another"))
                else:
                    values[name] = self._read_part(template, fields[name], part, path, faults)
        for name, field in fields.items():
            if name not in values:
                values[name] = FAULT if field.required else field.absent()
        return values

    def _read_part(self, template: KeyTemplate, field: Field, part: str, path: Path, faults: Faults) -> Any:
        scalar = field.scalar
        try:
            value = scalar.from_text(part)
            if scalar.to_text(value) == part:
                return value
        except Exception:
            pass
        kind = f"{scalar.python.__name__} {field.name} as it would be written"
        return faults.add(template.mismatch(path, kind, "other text"))

    def _construct(self, values: dict[str, Any]) -> Any:
        positional, named = [], {}
        for field in self.fields:
            if field.parameter == "positional":
                positional.append(values[field.name])
            elif field.parameter == "keyword":
                named[field.name] = values[field.name]
        made = self.cls(*positional, **named)
        for field in self.fields:
            if field.parameter is None and values[field.name] is not MISSING:
                object.__setattr__(made, field.name, values[field.name])
        return made

    # --- writing --------------------------------------------------------------------------------

    def write(self, value: Any, json: bool) -> dict[str, Any]:
        return {"M": self.write_map(value, json)}

    def write_map(self, value: Any, json: bool) -> dict[str, Any]:
        """Write an instance as a map; raises EncodeError."""
        if not isinstance(value, self.cls):
            raise EncodeError(expected=self.name, found=type(value).__name__)
        written: dict[str, Any] = {}
        for template in self.templates:
            text = self._write_key(template, value)
            if text is not None:
                written[template.attribute] = {"S": text}
        for field in self.fields:
            if field.in_key:
                continue
            member = self._get(field, value)
            if member is MISSING or self._left_out(field, member):
                continue
            try:
                written[field.attribute] = field.node.write(member, json)
            except EncodeError as error:
                error.located(path_text((field.attribute,)))
                raise
        return written

    def _get(self, field: Field, value: Any) -> Any:
        member = getattr(value, field.name, MISSING)
        if not field.stored and member is getattr(self.cls, field.name, None):
            member = MISSING  # an InitVar's default, which is the class's and not the instance's
        if member is MISSING and field.required:
            raise EncodeError(
                expected=field.node.words, found="nothing", path=path_text((field.attribute,))
            )
        return member

    def _left_out(self, field: Field, member: Any) -> bool:
        return field.node.left_out(member) and not field.required and field.absent() == member

    def _write_key(self, template: KeyTemplate, value: Any) -> str | None:
        parts = []
        for name in template.fields:
            field = next(field for field in self.fields if field.name == name)
            member = self._get(field, value)
            if member is None and not field.required:
                return None
            try:
                parts.append(field.scalar.to_text(member))
            except EncodeError as error:
                error.located(path_text((template.attribute,)))
                raise
        return template.write(tuple(parts))

    # --- generated code -------------------------------------------------------------------------

    def emit(self, e: Emitter, source: str, target: str) -> None:
        e.single(source)
        if self.uses > 1 or self.recursive:
            e.line(f'{target} = {self._function(e)}({source}["M"])')
            return
        item = e.var("m")
        e.line(f'{item} = {source}["M"]')
        self.emit_map(e, item, target)

    def _function(self, e: Emitter) -> str:
        name = e.emitted.get(id(self))
        if name is None:
            name = e.emitted[id(self)] = e.var(f"read_{self.name if self.name.isidentifier() else 'object'}_")
            with e.function(f"def {name}(m):"):
                self.emit_map(e, "m", "made")
                e.line("return made")
        return name

    def emit_map(self, e: Emitter, item: str, target: str) -> None:
        """Emit lines that read the map in ``item`` into ``target``."""
        if not any(field.required for field in self.fields):
            e.refuse_if(f"type({item}) is not dict")
        values = self._emit_keys(e, item)
        for field in self.fields:
            if field.in_key:
                continue
            read = values[field.name] = e.var("x")
            if field.required:
                value = e.var("v")
                e.line(f"{value} = {item}[{field.attribute!r}]")
                field.node.emit(e, value, read)
                continue
            value = e.var("v")
            missing = e.const(MISSING, "MISSING")
            e.line(f"{value} = {item}.get({field.attribute!r}, {missing})")
            with e.block(f"if {value} is {missing}:"):
                e.line(f"{read} = {self._emit_absent(e, field)}")
            with e.block("else:"):
                field.node.emit(e, value, read)
        e.settle()
        self._emit_construct(e, values, target)

    def _emit_absent(self, e: Emitter, field: Field) -> str:
        if field.factory is not None:
            return f"{e.const(field.factory, 'factory_' + field.name)}()"
        if field.default in (None, True, False) and type(field.default) in (type(None), bool):
            return repr(field.default)
        return e.const(field.default, "MISSING" if field.default is MISSING else "default_" + field.name)

    def _emit_keys(self, e: Emitter, item: str) -> dict[str, str]:
        values: dict[str, str] = {}
        if not self.templates:
            return values
        if any(not template.simple for template in self.templates) or any(
            not field.required for field in self.fields if field.in_key
        ) or sum(len(template.fields) for template in self.templates) != sum(f.in_key for f in self.fields):
            return self._emit_odd_keys(e, item)
        fields = {field.name: field for field in self.fields if field.in_key}
        for template in self.templates:
            value, text = e.var("v"), e.var("k")
            e.line(f"{value} = {item}[{template.attribute!r}]")
            e.single(value)
            e.line(f'{text} = {value}["S"]')
            prefix = template.literals[0]
            if not template.fields:
                e.refuse_if(f"{text} != {prefix!r}")
                continue
            field = fields[template.fields[0]]
            read = values[field.name] = e.var("x")
            e.refuse_if(f"{text}[:{len(prefix)}] != {prefix!r}")
            field.scalar.emit_text(e, f"{text}[{len(prefix)}:]", read)
        return values

    def _emit_odd_keys(self, e: Emitter, item: str) -> dict[str, str]:
        def read_keys(item: Any) -> list[Any]:
            faults = Faults()
            values = self._read_keys(item, (), faults)
            if faults.errors:
                raise faults.errors[0]
            return [values[field.name] for field in self.fields if field.in_key]

        values = {field.name: e.var("x") for field in self.fields if field.in_key}
        names = "".join(name + ", " for name in values.values())
        call = f"{e.const(read_keys, 'read_keys')}({item})"
        e.line(f"{names}= {call}" if names else call)
        return values

    def _emit_construct(self, e: Emitter, values: dict[str, str], target: str) -> None:
        cls = e.const(self.cls, self.name)
        if self.direct:
            self._emit_direct(e, cls, values, target)
            return
        arguments = [
            values[field.name] if field.parameter == "positional" else f"{field.name}={values[field.name]}"
            for field in self.fields
            if field.parameter
        ]
        e.line(f"{target} = {cls}({', '.join(arguments)})")
        for field in self.fields:
            if field.parameter is None:
                setter = e.const(object.__setattr__, "setattr")
                with e.block(f"if {values[field.name]} is not {e.const(MISSING, 'MISSING')}:"):
                    e.line(f"{setter}({target}, {field.name!r}, {values[field.name]})")

    def _emit_direct(self, e: Emitter, cls: str, values: dict[str, str], target: str) -> None:
        """Fill a frozen dataclass without the ``object.__setattr__`` calls of its own ``__init__``."""
        e.line(f"{target} = {e.const(object.__new__, 'new')}({cls})")
        members = [vars(base).get(f.name) for f in self.fields for base in self.cls.__mro__]
        slots = {m.__name__: m for m in members if type(m).__name__ == "member_descriptor"}
        room = None
        for field in self.fields:
            if field.name in slots:
                setter = e.const(slots[field.name].__set__, f"set_{field.name}")
                e.line(f"{setter}({target}, {values[field.name]})")
                continue
            if room is None:
                room = e.var("d")
                e.line(f"{room} = {target}.__dict__")
            e.line(f"{room}[{field.name!r}] = {values[field.name]}")

    def holds(self, value: Any) -> bool:
        return isinstance(value, self.cls)


def faults_error(problem: str, path: Path) -> DDBStreamError:
    """A DecodeError of a sentence of its own."""
    from ..exceptions import DecodeError

    return DecodeError(problem, path=path_text(path))
