"""Classes with fields: an ``M``, or a whole item.

`ObjectNode` reads and writes an instance, the parts of ``@keys`` templates included, and emits the
code that reads it quickly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from ddbstream._model.class_specs import EXTRA_ITEMS, MISSING
from ddbstream._model.nodes import FAILED, MapNode, Node, ReadErrors, raised
from ddbstream._model.roads import DICTS
from ddbstream._model.scalars import IntNode, StrNode
from ddbstream._model.source import is_word
from ddbstream._values.tags import path_of, placed, tag_words, type_words
from ddbstream.exceptions import DDBStreamError, DecodeError, EncodeError

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate
    from ddbstream._model.roads import Road, Structs
    from ddbstream._model.source import Emitter
    from ddbstream._model.upgrades import Step
    from ddbstream._values.paths import Parts


@dataclass
class Field:
    """One field of a class, planned.

    Attributes are those of ``FieldSpec``, and these.

    Attributes:
        attribute: The attribute that stores it; for a part of several keys, the first.
        node: The node of its annotation.
        in_key: Whether it is part of keys.
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
        """The value of an absent attribute; MISSING if the constructor supplies it."""
        if self.collects:
            return {}
        return MISSING if self.omitted else self.restored()

    def restored(self) -> Any:
        """The value that an absent attribute is read as; MISSING if that is not known."""
        return self.factory() if self.factory else self.default


@dataclass(eq=False, repr=False)
class ObjectNode(MapNode):
    """A class with fields.

    Attributes:
        cls: The class.
        name: What errors call it.
        fields: In the constructor's order.
        templates: The templates of its ``@keys``.
        reserved: Names that a collected attribute cannot have.
        collector: The name of the field that collects the rest, and the node of a collected value.
        none_omitted: Whether a None is left out if its absence would be read as None.
        upgrades: What older versions of the class have stored goes through these first, in order.
    """

    cls: Any
    name: str
    fields: list[Field] = field(default_factory=list)
    templates: list[KeyTemplate] = field(default_factory=list)
    build: Callable[[dict[str, Any]], Any] | None = None
    direct: bool = False
    mapping: bool = False
    forbid: bool = False
    reserved: frozenset[str] = frozenset()
    constants: dict[str, Any] = field(default_factory=dict)
    none_omitted: bool = False
    collector: tuple[str, Node] | None = None
    refused: Callable[[Exception, ObjectNode, Parts, ReadErrors], bool] | None = None
    upgrades: tuple[Step, ...] = ()

    def occurs_again(self) -> None:
        self.is_shared = True

    @property
    def known(self) -> frozenset[str]:
        """The attributes that fields, keys and constants are stored in."""
        return frozenset(
            [f.attribute for f in self.fields if not f.collects]
            + [template.attribute for template in self.templates]
            + list(self.constants)
        )

    # --- reading, slowly ------------------------------------------------------------------------

    def read_map(self, item: Any, path: Parts, errors: ReadErrors) -> Any:
        if not self.sound_map(item, path, errors):
            return FAILED
        if self.upgrades:
            item = self._upgraded_slowly(item, path, errors)
            if item is FAILED:
                return FAILED
        before = len(errors.found)
        values = self._read_keys(item, path, errors) if self.templates else {}
        for f in self.fields:
            if not f.in_key:
                values[f.name] = self._read_field(f, item, path, errors)
        self._read_rest(item, values, path, errors)
        if len(errors.found) > before or any(value is FAILED for value in values.values()):
            return FAILED
        return self.made(values, path, errors)

    def made(self, values: dict[str, Any], path: Parts, errors: ReadErrors) -> Any:
        """An instance of its fields' values; FAILED if it refuses them, which is noted."""
        try:
            return self.construct(values)
        except Exception as error:  # noqa: BLE001 - the class's own code may raise anything
            cause = error
        return self._refused(cause, path, errors)

    def upgraded(self, item: Any) -> Any:
        """An item as the class stores it now; raises anything if a step cannot take it."""
        for step in self.upgrades:
            item = step(item)
        return item

    def _upgraded_slowly(self, item: Any, path: Parts, errors: ReadErrors) -> Any:
        """As `upgraded`; notes what goes wrong, and returns FAILED."""
        for step in self.upgrades:
            try:
                item = step(item)
            except DDBStreamError as error:
                return errors.add(error.located(path_of(path)))
            except Exception as error:  # noqa: BLE001 - the user's own code may raise anything
                problem = f"upgrade {step.name} raised {raised(error)}"
                place = (*path, step.attribute) if step.attribute else path
                return errors.add(DecodeError(problem, path=path_of(place)))
            if not isinstance(item, Mapping):
                return errors.note(path, f"an item from upgrade {step.name}", type_words(item))
        return item

    def _refused(self, cause: Exception, path: Parts, errors: ReadErrors) -> Any:
        if self.refused is not None and self.refused(cause, self, path, errors):
            return FAILED
        problem = f"{self.name} refused its values with {raised(cause)}"
        return errors.add(DecodeError(problem, path=path_of(path)))

    def _read_field(self, f: Field, item: Any, path: Parts, errors: ReadErrors) -> Any:
        if f.collects or f.attribute not in item:
            if f.required:
                return errors.note((*path, f.attribute), f.node.words, "nothing")
            return f.absent()
        return f.node.read(item[f.attribute], (*path, f.attribute), errors)

    def _read_rest(
        self, item: Any, values: dict[str, Any], path: Parts, errors: ReadErrors
    ) -> None:
        """Check the class's constants, and collect or refuse what no field stores."""
        for name, constant in self.constants.items():
            if not _is_constant(item.get(name), constant):
                found = "another" if name in item else "nothing"
                errors.note((*path, name), f"the tag of {self.name}", found)
        if not self.forbid and self.collector is None:
            return
        known = self.known
        for name in item:
            if name in known:
                continue
            if self.collector is None:
                errors.note((*path, str(name)), f"no attribute besides those of {self.name}", "one")
            elif not isinstance(name, str):
                errors.note(path, "text as attribute names", type_words(name))
            elif name in self.reserved:
                errors.note(
                    (*path, name), f"no attribute with a field's name of {self.name}", "one"
                )
            else:
                field_name, node = self.collector
                values[field_name][name] = node.read(item[name], (*path, name), errors)

    def _read_keys(self, item: Any, path: Parts, errors: ReadErrors) -> dict[str, Any]:
        """The values of the fields in an item's keys; FAILED for those whose error is noted."""
        values: dict[str, Any] = {}
        fields = {f.name: f for f in self.fields if f.in_key}
        for template in self.templates:
            text = _key_text(template, fields, item, path, errors)
            if text is None:
                continue
            parts = template.match(text)
            if parts is None:
                errors.add(template.mismatch(path))
                continue
            for name, spec, part in zip(template.fields, template.formats, parts, strict=True):
                value = _read_part(template, spec, fields[name], part, path, errors)
                if name in values and values[name] != value and FAILED not in (value, values[name]):
                    errors.add(template.mismatch(path, f"the {name} of the other keys", "another"))
                values[name] = value
        for name, f in fields.items():
            if name not in values:
                values[name] = f.absent()  # where it is required, the error is noted
        return values

    def construct(self, values: dict[str, Any]) -> Any:
        """Make an instance from its fields' values, by field name."""
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
        written = self._written(value, json, depth)
        if self.mapping:
            self._check_items(value)
        elif type(value) is not self.cls:
            self.check_subclass(value, partial(self.read_map, written))
        return written

    def _check_items(self, value: Mapping[Any, Any]) -> None:
        """Refuse a typed dict with items of no field, which would be lost."""
        names = {f.name for f in self.fields}
        if EXTRA_ITEMS not in names and not names.issuperset(value):
            raise EncodeError(expected=f"no items besides those of {self.name}", found="one")

    def check_subclass(self, value: Any, read_back: Callable[[Parts, ReadErrors], Any]) -> None:
        """Refuse an instance of a subclass, unless what is written of it is read as its equal.

        Args:
            value: The instance.
            read_back: Reads what is written.
        """
        errors = ReadErrors()
        try:
            read = read_back((), errors)
            is_equal = not errors.found and bool(read == value)
        except Exception:  # noqa: BLE001 - the class's own code may raise anything
            is_equal = False
        if not is_equal:
            raise EncodeError(
                expected=f"{self.name} itself (annotate the field with a union of the classes)",
                found=f"its subclass {type(value).__name__}, which would be read as another",
            )

    def _written(self, value: Any, json: bool, depth: int) -> dict[str, Any]:
        written = dict(self.constants)
        if self.templates:
            written.update(self._write_keys(value))
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
        clash = sorted(rest.keys() & (self.known | self.reserved))
        if clash:
            raise EncodeError(
                "a collected attribute has the name of a field's", path=path_of((clash[0],))
            )
        written.update(rest)

    def _write_keys(self, value: Any) -> dict[str, Any]:
        """The key attributes of an instance; a key with a None in it is left out.

        Raises:
            EncodeError: A field has no text, or its text would not be read back.
        """
        fields = {f.name: f for f in self.fields if f.in_key}
        written: dict[str, Any] = {}
        for template in self.templates:
            members = [self.get(fields[name], value) for name in template.fields]
            absent = [member is None or member is MISSING for member in members]
            if any(absent):
                if any(fields[name].required for name in template.fields):
                    raise placed(
                        EncodeError(expected="a value in a key", found="None"), template.attribute
                    )
                continue
            try:
                parts = tuple(
                    _part_text(fields[name], spec, member)
                    for name, spec, member in zip(
                        template.fields, template.formats, members, strict=True
                    )
                )
            except EncodeError as error:
                placed(error, template.attribute)
                raise
            written[template.attribute] = {"S": template.write(parts)}
        return written

    def get(self, f: Field, value: Any) -> Any:
        """A field of an instance; MISSING if it is absent and may be; raises EncodeError."""
        if f.name == EXTRA_ITEMS:
            names = {field.name for field in self.fields if not field.collects}
            return {name: member for name, member in value.items() if name not in names}
        if self.mapping:
            member = value.get(f.name, MISSING)
        else:
            member = getattr(value, f.name, MISSING)
            if not f.stored and member is getattr(self.cls, f.name, None):
                member = MISSING  # an InitVar's default is the class's attribute
        if member is MISSING and (f.required or (self.mapping and not f.omitted)):
            raise EncodeError(expected=f.node.words, found="nothing", path=path_of((f.attribute,)))
        return member

    def _left_out(self, f: Field, member: Any) -> bool:
        """Whether the attribute is not written, because its absence reads as the same value."""
        if member is None:
            return self.none_omitted and not f.required and f.restored() is None
        if f.node.left_out(member):
            return not f.required and f.restored() == member
        # msgspec's UNSET, recognised by the name of its class
        return type(member).__name__ == "UnsetType" and f.default is member

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping if self.mapping else self.cls)

    # --- generated code -------------------------------------------------------------------------

    def payload_types(self, structs: Structs) -> dict[str, Any] | None:
        # What is in the other attributes, only a dict can be asked.
        if self.collector is not None or self.constants or self.upgrades:
            return None
        simple = self._has_simple_keys
        shape = structs.shape(StrNode()) if simple else Any
        members = [(template.attribute, shape, simple) for template in self.templates]
        members += [
            (f.attribute, structs.shape(f.node), f.required) for f in self.fields if not f.in_key
        ]
        return {"M": structs.class_of(self, self.name, members, forbid=self.forbid)}

    def emit_tagged(self, e: Emitter, tag: str, payload: str, target: str, road: Road) -> None:
        if self.is_shared:
            owner = road.owner(self)
            function = e.helper(
                owner, self.name, lambda item, made: self.emit_map(e, item, made, road)
            )
            with e.deeper(checked=True):
                e.line(f"{target} = {function}({payload}, {e.depth})")
            return
        super().emit_tagged(e, tag, payload, target, road)

    def emit_shared(self, e: Emitter, item: str, target: str) -> None:
        """As `emit_map`, by a function where the class occurs more than once, or in itself."""
        if not self.is_shared:
            self.emit_map(e, item, target)
            return
        function = e.helper(self, self.name, lambda item, made: self.emit_map(e, item, made))
        e.line(f"{target} = {function}({item}, {e.depth})")

    def emit_map(self, e: Emitter, item: str, target: str, road: Road = DICTS) -> None:
        """Emit lines that read the map in ``item`` into ``target``."""
        if self.upgrades:
            stored, item = item, e.var("m")
            e.line(f"{item} = {e.const(self.upgraded, 'upgraded')}({stored})")
        if road is DICTS and not any(f.required and not f.in_key for f in self.fields):
            e.refuse_if(f"type({item}) is not dict")
        for name, constant in self.constants.items():
            e.refuse_if(f"{item}[{name!r}] != {constant!r}")
        values = self._emit_keys(e, item, road) if self.templates else {}
        for f in self.fields:
            if f.in_key:
                continue
            values[f.name] = read = e.var("x")
            if f.collects:
                self._emit_collected(e, item, read)
                continue
            value = e.var("v")
            e.line(f"{value} = {road.member(e, item, self, f.attribute, required=f.required)}")
            if f.required:
                road.read(e, f.node, value, read)
            else:
                _emit_absentable(e, f, value, read, road)
        if road is DICTS and self.forbid and self.collector is None:
            e.refuse_if(f"not {e.const(self.known, 'known')}.issuperset({item})")
        e.settle()
        self._emit_construct(e, values, target)

    def _emit_collected(self, e: Emitter, item: str, read: str) -> None:
        name, value, member = e.var("k"), e.var("v"), e.var("x")
        e.line(f"{read} = {{}}")
        known = e.const(self.known, "known")
        loop, stranger = f"for {name}, {value} in {item}.items():", f"if {name} not in {known}:"
        with e.block(loop), e.block(stranger):
            assert self.collector is not None
            self.collector[1].emit(e, value, member)
            e.refuse_if(f"type({name}) is not str")
            if self.reserved:
                e.refuse_if(f"{name} in {e.const(self.reserved, 'reserved')}")
            e.line(f"{read}[{name}] = {member}")

    @property
    def _has_simple_keys(self) -> bool:
        """Whether each key is one text, or text and one field, and has to be there."""
        fields = [f for f in self.fields if f.in_key]
        names = [name for template in self.templates for name in template.fields]
        simple = all(template.simple for template in self.templates)
        return simple and len(names) == len(fields) and all(f.required for f in fields)

    def _emit_keys(self, e: Emitter, item: str, road: Road) -> dict[str, str]:
        if not self._has_simple_keys:
            return self._emit_odd_keys(e, item, road)
        fields = {f.name: f for f in self.fields if f.in_key}
        values: dict[str, str] = {}
        for template in self.templates:
            value, text, prefix = e.var("v"), e.var("k"), template.literals[0]
            e.line(f"{value} = {road.member(e, item, self, template.attribute, required=True)}")
            e.line(f"{text} = {road.text(e, value)}")
            if not template.fields:
                e.refuse_if(f"{text} != {prefix!r}")
                continue
            f = fields[template.fields[0]]
            part = text
            if prefix:
                part = e.var("k")
                e.line(f"{part} = {text}.removeprefix({prefix!r})")
                e.refuse_if(f"len({part}) == len({text})")
            values[f.name] = read = e.var("x")
            e.check_type(part, "str")
            f.node.emit_text(e, part, read)
        return values

    def _emit_odd_keys(self, e: Emitter, item: str, road: Road) -> dict[str, str]:
        """Emit a call of the slow reader, for keys of several fields or that may be absent."""
        fields = [f for f in self.fields if f.in_key]

        def read(item: Any) -> tuple[Any, ...]:
            errors = ReadErrors()
            values = self._read_keys(item, (), errors)
            if errors.found:
                raise errors.found[0]
            return tuple(values[f.name] for f in fields)

        if road is not DICTS:
            item = self._emit_dict_of_keys(e, item, road)
        values = {f.name: e.var("x") for f in fields}
        call = f"{e.const(read, 'read_keys')}({item})"
        e.line(f"{''.join(f'{name}, ' for name in values.values())}= {call}")
        return values

    def _emit_dict_of_keys(self, e: Emitter, item: str, road: Road) -> str:
        keys = e.var("m")
        e.line(f"{keys} = {{}}")
        for attribute in {template.attribute: None for template in self.templates}:
            member = road.member(e, item, self, attribute, required=False)
            with e.block(f"if {member} is not {e.const(road.absent, 'UNSET')}:"):
                e.line(f"{keys}[{attribute!r}] = {member}")
        return keys

    def _emit_construct(self, e: Emitter, values: dict[str, str], target: str) -> None:
        taken = [f for f in self.fields if f.argument is not None]
        if self.direct and not any(f.omitted for f in taken):
            self._emit_direct(e, values, target)
        elif self.build is not None or any(
            f.omitted or not is_word(f.argument or "") for f in taken
        ):
            self._emit_keywords(e, taken, values, target)
        else:
            arguments = [
                values[f.name] if f.positional else f"{f.argument}={values[f.name]}" for f in taken
            ]
            # keyword-only fields may be declared before positional ones
            arguments.sort(key=lambda argument: "=" in argument)
            e.line(f"{target} = {e.const(self.cls, self.name)}({', '.join(arguments)})")
        for f in self.fields:
            if f.argument is None:
                with e.block(f"if {values[f.name]} is not {e.const(MISSING, 'MISSING')}:"):
                    setter = e.const(object.__setattr__, "setattr")
                    e.line(f"{setter}({target}, {f.name!r}, {values[f.name]})")

    def _emit_keywords(
        self, e: Emitter, taken: list[Field], values: dict[str, str], target: str
    ) -> None:
        arguments = e.var("d")
        present = [f"{f.argument!r}: {values[f.name]}" for f in taken if not f.omitted]
        e.line(f"{arguments} = {{{', '.join(present)}}}")
        for f in taken:
            if f.omitted:
                with e.block(f"if {values[f.name]} is not {e.const(MISSING, 'MISSING')}:"):
                    e.line(f"{arguments}[{f.argument!r}] = {values[f.name]}")
        if self.build is dict:
            e.line(f"{target} = {arguments}")
        elif self.build is not None:
            e.line(f"{target} = {e.const(self.build, 'build')}({arguments})")
        else:
            e.line(f"{target} = {e.const(self.cls, self.name)}(**{arguments})")

    def _emit_direct(self, e: Emitter, values: dict[str, str], target: str) -> None:
        """Fill a frozen dataclass without the ``object.__setattr__`` calls of its ``__init__``."""
        e.line(f"{target} = {e.const(object.__new__, 'new')}({e.const(self.cls, self.name)})")
        room = None
        for f in self.fields:
            slot: Any = next((vars(c)[f.name] for c in self.cls.__mro__ if f.name in vars(c)), None)
            if type(slot).__name__ == "member_descriptor":
                e.line(f"{e.const(slot.__set__, f'set_{f.name}')}({target}, {values[f.name]})")
                continue
            if room is None:
                room = e.var("d")
                e.line(f"{room} = {target}.__dict__")
            e.line(f"{room}[{f.name!r}] = {values[f.name]}")


_INT = IntNode()


def _is_constant(value: Any, constant: dict[str, Any]) -> bool:
    """Whether an attribute value is a class's constant; a number may be spelled otherwise."""
    if value == constant:
        return True
    return "N" in constant and _INT.read(value, (), ReadErrors()) == int(constant["N"])


def _emit_absentable(e: Emitter, f: Field, value: str, read: str, road: Road) -> None:
    missing = e.const(MISSING, "MISSING")
    with e.block(f"if {value} is {e.const(road.absent, 'absent')}:"):
        if f.factory is not None and not f.omitted:
            absent = f"{e.const(f.factory, 'factory_' + f.name)}()"
        elif f.absent() is None or f.absent() is True or f.absent() is False:
            absent = repr(f.absent())
        elif f.absent() is MISSING:
            absent = missing
        else:
            absent = e.const(f.default, f"default_{f.name}")
        e.line(f"{read} = {absent}")
    with e.block("else:"):
        road.read(e, f.node, value, read)


def _key_text(
    template: KeyTemplate, fields: dict[str, Field], item: Any, path: Parts, errors: ReadErrors
) -> str | None:
    """The text of a key; None if it is absent, which is an error unless all fields may be."""
    place = (*path, template.attribute)
    if template.attribute not in item:
        if not template.fields or any(fields[name].required for name in template.fields):
            errors.note(place, "S", "nothing")
        return None
    value = item[template.attribute]
    tag = tag_words(value)
    if tag == "S" and isinstance(value["S"], str):
        text: str = value["S"]
        return text
    errors.note(place, "text in S" if tag == "S" else "S", "malformed S" if tag == "S" else tag)
    return None


def _part_text(f: Field, spec: str, value: Any) -> str:
    """A field's text in a key; raises EncodeError."""
    text = f.node.to_text(value)
    if not spec:
        return text
    made = _INT.formatted(int(text), spec)
    if made is None:  # such as -7 in 0>8: 000000-7
        raise EncodeError(f"its format {spec!r} would not be read as the same int")
    return made


def _read_part(
    template: KeyTemplate, spec: str, f: Field, part: str, path: Parts, errors: ReadErrors
) -> Any:
    try:
        value = f.node.from_text(part)
        if _part_text(f, spec, value) == part:
            return value
    except Exception:  # noqa: BLE001, S110 - whatever a conversion raises, the part is not of its kind
        pass
    return errors.add(template.mismatch(path, f"{f.name} as it would be written", "other text"))
