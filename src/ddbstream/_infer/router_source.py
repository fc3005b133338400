"""The source of a first router for inferred classes, and of a first test of both."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ddbstream._infer.annotations import Alias
from ddbstream._infer.classes import ClassPlan, FieldPlan
from ddbstream._infer.groups import Entity
from ddbstream._infer.layout import WIDTH, bracketed, columns, import_lines, quoted
from ddbstream._infer.names import field_name

__all__ = ["RouterSource", "write_router", "write_test"]


_FIELD: Final = re.compile(r"\{[^{}]+\}")


@dataclass
class RouterSource:
    """A router's part of a module.

    Attributes:
        lines: What stands at the module's end.
        names: What it imports: module and name.
        told: The classes whose items get to a handler.
    """

    lines: list[str] = field(default_factory=list)
    names: list[tuple[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)


def write_router(
    entities: Sequence[Entity],
    plans: Sequence[Alias | ClassPlan],
    classifier: tuple[str, str] | None = None,
) -> RouterSource:
    """A router with a handler for each entity.

    Args:
        entities: What the items are.
        plans: The module's classes.
        classifier: Module and name of the function that has told entities apart, if one has.
    """
    named = {plan.name: plan for plan in plans if isinstance(plan, ClassPlan)}
    classes = [named[entity.name] for entity in entities]
    made = RouterSource(names=[("ddbstream", "Change"), ("ddbstream", "StreamRouter")])
    told = _classify(classes, classifier, made)
    made.told = [plan.name for plan in told.classes]
    made.lines = ["", "", *_router_lines(told.classify, told.arguments), *told.bindings]
    for plan in classes:
        if plan not in told.classes:
            made.lines += [
                "",
                "",
                f"# Nothing tells {plan.name} items apart: they need a classifier.",
            ]
            continue
        made.lines += [
            "",
            "",
            # Without a name in the decorator, a handler takes every entity: here there is one.
            f"@router.on_change({plan.name if told.classify else ''})",
            f"def {field_name(plan.name)}_changed(record: Change[{plan.name}]) -> None:",
            f'    """Handle what happens to {plan.name} items."""',
            f'    print("{plan.name}", record.event_name)',
        ]
    return made


def _router_lines(classify: str, arguments: Sequence[str]) -> list[str]:
    if not classify:
        return ["router = StreamRouter()"]
    call = f"({', '.join(arguments)})" if arguments else ""
    line = f"router = StreamRouter(classify={classify}{call})"
    if columns(line) <= WIDTH:
        return [line]
    inside = bracketed(f"classify={classify}(", arguments, "),", indent=4, rest=" " * WIDTH)
    return ["router = StreamRouter(", *inside, ")"]


@dataclass
class _Told:
    """What tells entities apart.

    Attributes:
        classes: The classes whose items it can tell.
        classify: What to give as ``classify=``; empty for one class, which takes everything.
        arguments: Its arguments.
        bindings: Lines that give classes the entity names that it gives.
    """

    classes: Sequence[ClassPlan]
    classify: str = ""
    arguments: list[str] = field(default_factory=list)
    bindings: list[str] = field(default_factory=list)


def _classify(
    classes: Sequence[ClassPlan], classifier: tuple[str, str] | None, made: RouterSource
) -> _Told:
    if classifier is not None:
        made.names.append(classifier)
        return _Told(classes, classifier[1], [], _bindings(classes))
    if len(classes) == 1:
        return _Told(classes)
    tagged: dict[str, list[ClassPlan]] = {}
    for plan in classes:
        if plan.kind_attribute is not None:
            tagged.setdefault(plan.kind_attribute, []).append(plan)
    shapes = Counter(map(_shape, classes))
    keyed = [plan for plan in classes if plan.keys and shapes[_shape(plan)] == 1]
    attribute = max(tagged, key=lambda name: (len(tagged[name]), name), default=None)
    if attribute is not None and len(tagged[attribute]) >= len(keyed):
        made.names.append(("ddbstream", "by_attribute"))
        told = tagged[attribute]
        return _Told(told, "by_attribute", [quoted(attribute)], _bindings(told))
    if not keyed:
        return _Told([])
    # Of two classes whose templates match an item, by_keys() takes the first: the narrower one.
    ordered = sorted(keyed, key=lambda plan: (-_literal_length(plan), plan.name))
    made.names.append(("ddbstream", "by_keys"))
    return _Told(keyed, "by_keys", [plan.name for plan in ordered])


def _literal_length(plan: ClassPlan) -> int:
    return sum(len(_FIELD.sub("", text)) for text in plan.keys.values())


def _shape(plan: ClassPlan) -> tuple[tuple[str, str], ...]:
    """What by_keys() has to tell a class by: its templates, whatever their fields are called."""
    return tuple(sorted((name, _FIELD.sub("{}", text)) for name, text in plan.keys.items()))


def _bindings(classes: Sequence[ClassPlan]) -> list[str]:
    """An entity has its class's name, unless it is bound to another."""
    others = [plan for plan in classes if plan.kind not in (None, plan.name)]
    return [f"router.bind({quoted(plan.kind or '')}, {plan.name})" for plan in others]


# --- a test -------------------------------------------------------------------------------------

_EXAMPLES: Mapping[str, tuple[str, tuple[tuple[str, str], ...]]] = {
    "str": ('"text"', ()),
    "int": ("1", ()),
    "bool": ("True", ()),
    "bytes": ('b"bytes"', ()),
    "Any": ("None", ()),
    "Decimal": ('Decimal("1.5")', (("decimal", "Decimal"),)),
    "date": ("date(2026, 1, 31)", (("datetime", "date"),)),
    "time": ("time(12, 30)", (("datetime", "time"),)),
    "UUID": ("UUID(int=1)", (("uuid", "UUID"),)),
    "datetime": (
        "datetime(2026, 1, 31, tzinfo=timezone.utc)",
        (("datetime", "datetime"), ("datetime", "timezone")),
    ),
}


def write_test(module: str, classes: Sequence[str], plans: Sequence[Alias | ClassPlan]) -> str:
    """The text of a test module: an invented item of each class goes through the router.

    Args:
        module: The name of the module with the classes and the router.
        classes: The classes whose items get to a handler.
        plans: The module's classes.
    """
    examples = _Examples(module, {plan.name: plan for plan in plans})
    items = [line for name in classes for line in examples.lines(name)]
    names = examples.names
    names.setdefault(module, set()).add("router")
    names.setdefault("ddbstream", set()).update({"from_item", "to_item"})
    names.setdefault("ddbstream.testing", set()).add("insert")
    return "\n".join(
        [
            f'"""A first test of {module}: an item of each class goes through the router."""',
            "",
            "from __future__ import annotations",
            "",
            *import_lines(names, ["pytest"], local=module),
            "",
            "ITEMS: list[object] = [",
            *items,
            "]",
            "",
            "",
            '@pytest.mark.parametrize("item", ITEMS, ids=lambda item: type(item).__name__)',
            "def test_an_item_reaches_its_handler_as_it_was_written(",
            "    item: object, capsys: pytest.CaptureFixture[str]",
            ") -> None:",
            '    """What to_item() writes, from_item() and the router read."""',
            "    assert from_item(to_item(item), type(item)) == item",
            "    assert router.dispatch([insert(item)]).failures == ()",
            '    assert capsys.readouterr().out == f"{type(item).__name__} INSERT\\n"',
            "",
        ]
    )


class _Examples:
    """Invented values; nothing that was stored is ever written into a test."""

    def __init__(self, module: str, plans: Mapping[str, Alias | ClassPlan]) -> None:
        self._module = module
        self._plans = plans
        self.names: dict[str, set[str]] = {}

    def lines(self, name: str) -> list[str]:
        """An instance of a class, one argument a line."""
        return f"    {self._instance(name, 4)},".split("\n")

    def _instance(self, name: str, indent: int) -> str:
        plan = self._plans[name]
        assert isinstance(plan, ClassPlan)
        self.names.setdefault(self._module, set()).add(name)
        space = " " * indent
        arguments = [
            f"{space}    {found.name}={self._argument(found, indent + 4)},\n"
            for found in plan.fields
            if found.default is None
        ]
        return f"{name}(\n{''.join(arguments)}{space})" if arguments else f"{name}()"

    def _argument(self, found: FieldPlan, indent: int) -> str:
        return "None" if found.optional else self._value(found.annotation.text, indent)

    def _value(self, annotation: str, indent: int) -> str:
        return self._of(ast.parse(annotation, mode="eval").body, indent)

    def _of(self, node: ast.expr, indent: int) -> str:
        if isinstance(node, ast.BinOp):
            return self._of(node.left, indent)
        if isinstance(node, ast.Subscript):
            assert isinstance(node.value, ast.Name)
            return self._of_generic(node.value.id, node.slice, indent)
        assert isinstance(node, ast.Name)
        example = _EXAMPLES.get(node.id)
        if example is None:
            return self._of_named(node.id, indent)
        for module, name in example[1]:
            self.names.setdefault(module, set()).add(name)
        return example[0]

    def _of_generic(self, name: str, inside: ast.expr, indent: int) -> str:
        if name == "Literal":
            first = inside.elts[0] if isinstance(inside, ast.Tuple) else inside
            assert isinstance(first, ast.Constant)
            return quoted(str(first.value))
        return {"list": "[]", "dict": "{}"}.get(name) or f"{{{self._of(inside, indent)}}}"

    def _of_named(self, name: str, indent: int) -> str:
        plan = self._plans[name]
        if isinstance(plan, Alias):
            whole = f"{plan.opening}{', '.join(plan.parts)}]" if plan.opening else plan.parts[0]
            return self._value(whole, indent)
        return self._instance(name, indent)
