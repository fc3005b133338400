"""The generated code of a class with fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbstream._model.key_fields import read_keys
from ddbstream._model.nodes import Faults
from ddbstream._model.shapes import MISSING

if TYPE_CHECKING:
    from ddbstream._model.objects import Field, ObjectNode
    from ddbstream._model.source import Emitter


def emit_object(node: ObjectNode, e: Emitter, item: str, target: str) -> None:
    """Emit lines that read the map in ``item`` into ``target``."""
    if not any(f.required and not f.in_key for f in node.fields):
        e.refuse_if(f"type({item}) is not dict")
    for name, constant in node.constants.items():
        e.refuse_if(f"{item}[{name!r}] != {constant!r}")
    values = _emit_keys(node, e, item) if node.templates else {}
    for f in node.fields:
        if f.in_key:
            continue
        values[f.name] = read = e.var("x")
        if f.collects:
            _emit_collected(node, e, item, read)
        elif f.required:
            value = e.var("v")
            e.line(f"{value} = {item}[{f.attribute!r}]")
            f.node.emit(e, value, read)
        else:
            _emit_absentable(e, f, item, read)
    if node.forbid and node.collector is None:
        e.refuse_if(f"not {e.const(node.known, 'known')}.issuperset({item})")
    e.settle()
    _emit_construct(node, e, values, target)


def _emit_absentable(e: Emitter, f: Field, item: str, read: str) -> None:
    value, missing = e.var("v"), e.const(MISSING, "MISSING")
    e.line(f"{value} = {item}.get({f.attribute!r}, {missing})")
    with e.block(f"if {value} is {missing}:"):
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
        f.node.emit(e, value, read)


def _emit_collected(node: ObjectNode, e: Emitter, item: str, read: str) -> None:
    name, value, member = e.var("k"), e.var("v"), e.var("x")
    e.line(f"{read} = {{}}")
    known = e.const(node.known, "known")
    loop, stranger = f"for {name}, {value} in {item}.items():", f"if {name} not in {known}:"
    with e.block(loop), e.block(stranger):
        assert node.collector is not None
        node.collector[1].emit(e, value, member)
        e.refuse_if(f"type({name}) is not str")
        e.line(f"{read}[{name}] = {member}")


def _emit_keys(node: ObjectNode, e: Emitter, item: str) -> dict[str, str]:
    fields = {f.name: f for f in node.fields if f.in_key}
    names = [name for template in node.templates for name in template.fields]
    simple = all(template.simple for template in node.templates)
    if not simple or len(names) != len(fields) or not all(f.required for f in fields.values()):
        return _emit_odd_keys(node, e, item)
    values: dict[str, str] = {}
    for template in node.templates:
        value, text, prefix = e.var("v"), e.var("k"), template.literals[0]
        e.line(f"{value} = {item}[{template.attribute!r}]")
        e.single(value)
        e.line(f'{text} = {value}["S"]')
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
        e.refuse_if(f"type({part}) is not str")
        f.node.emit_text(e, part, read)
    return values


def _emit_odd_keys(node: ObjectNode, e: Emitter, item: str) -> dict[str, str]:
    """Keys of several fields, or that may be absent, are read by the slow reader's own code."""
    fields = [f for f in node.fields if f.in_key]

    def read(item: Any) -> tuple[Any, ...]:
        faults = Faults()
        values = read_keys(node, item, (), faults)
        if faults.errors:
            raise faults.errors[0]
        return tuple(values[f.name] for f in fields)

    values = {f.name: e.var("x") for f in fields}
    call = f"{e.const(read, 'read_keys')}({item})"
    e.line(f"{''.join(f'{name}, ' for name in values.values())}= {call}")
    return values


def _emit_construct(node: ObjectNode, e: Emitter, values: dict[str, str], target: str) -> None:
    taken = [f for f in node.fields if f.argument is not None]
    if node.direct and not any(f.omitted for f in taken):
        _emit_direct(node, e, values, target)
    elif node.build is not None or any(f.omitted for f in taken):
        _emit_keywords(node, e, taken, values, target)
    else:
        arguments = [
            values[f.name] if f.positional else f"{f.argument}={values[f.name]}" for f in taken
        ]
        # keyword-only fields may be declared before positional ones
        arguments.sort(key=lambda argument: "=" in argument)
        e.line(f"{target} = {e.const(node.cls, node.name)}({', '.join(arguments)})")
    for f in node.fields:
        if f.argument is None:
            with e.block(f"if {values[f.name]} is not {e.const(MISSING, 'MISSING')}:"):
                setter = e.const(object.__setattr__, "setattr")
                e.line(f"{setter}({target}, {f.name!r}, {values[f.name]})")


def _emit_keywords(
    node: ObjectNode, e: Emitter, taken: list[Field], values: dict[str, str], target: str
) -> None:
    arguments = e.var("d")
    present = [f"{f.argument!r}: {values[f.name]}" for f in taken if not f.omitted]
    e.line(f"{arguments} = {{{', '.join(present)}}}")
    for f in taken:
        if f.omitted:
            with e.block(f"if {values[f.name]} is not {e.const(MISSING, 'MISSING')}:"):
                e.line(f"{arguments}[{f.argument!r}] = {values[f.name]}")
    if node.build is dict:
        e.line(f"{target} = {arguments}")
    elif node.build is not None:
        e.line(f"{target} = {e.const(node.build, 'build')}({arguments})")
    else:
        e.line(f"{target} = {e.const(node.cls, node.name)}(**{arguments})")


def _emit_direct(node: ObjectNode, e: Emitter, values: dict[str, str], target: str) -> None:
    """Fill a frozen dataclass without the ``object.__setattr__`` calls of its own ``__init__``."""
    e.line(f"{target} = {e.const(object.__new__, 'new')}({e.const(node.cls, node.name)})")
    room = None
    for f in node.fields:
        slot: Any = next((vars(c)[f.name] for c in node.cls.__mro__ if f.name in vars(c)), None)
        if type(slot).__name__ == "member_descriptor":
            e.line(f"{e.const(slot.__set__, f'set_{f.name}')}({target}, {values[f.name]})")
            continue
        if room is None:
            room = e.var("d")
            e.line(f"{room} = {target}.__dict__")
        e.line(f"{room}[{f.name!r}] = {values[f.name]}")
