"""Plans of classes as the text of a module."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ddbstream._infer.annotations import Alias, Annotations
from ddbstream._infer.classes import ClassPlan, FieldPlan
from ddbstream._infer.layout import WIDTH, bracketed, columns, import_lines, quoted, union_lines
from ddbstream._model.source import is_word

__all__ = ["STYLES", "Style", "write_module"]

Style = Literal["dataclass", "pydantic", "attrs", "msgspec"]


@dataclass(frozen=True)
class _Form:
    """How a library spells a class.

    Attributes:
        decorator: The line above the class, or nothing.
        base: What the class is made from, or nothing.
        empty_set: The default of a set that may be absent.
        empty_dict: The same for a dictionary.
        names: What it imports for a class, by module.
        for_defaults: What it imports for such a default.
        modules: Modules that it imports as such.
    """

    decorator: str
    base: str
    empty_set: str
    empty_dict: str
    names: tuple[tuple[str, str], ...] = ()
    for_defaults: tuple[tuple[str, str], ...] = ()
    modules: tuple[str, ...] = ()


_FORMS: Final[dict[str, _Form]] = {
    "dataclass": _Form(
        "@dataclass(slots=True)",
        "",
        "field(default_factory=set)",
        "field(default_factory=dict)",
        (("dataclasses", "dataclass"),),
        (("dataclasses", "field"),),
    ),
    "pydantic": _Form(
        "",
        "(BaseModel)",
        "Field(default_factory=set)",
        "Field(default_factory=dict)",
        (("pydantic", "BaseModel"),),
        (("pydantic", "Field"),),
    ),
    "attrs": _Form(
        "@attrs.define",
        "",
        "attrs.field(factory=set)",
        "attrs.field(factory=dict)",
        modules=("attrs",),
    ),
    "msgspec": _Form(
        "",
        "(msgspec.Struct)",
        "msgspec.field(default_factory=set)",
        "msgspec.field(default_factory=dict)",
        modules=("msgspec",),
    ),
}
STYLES: Final = tuple(_FORMS)


def write_module(
    plans: Sequence[Alias | ClassPlan],
    annotations: Annotations,
    *,
    style: str,
    about: str,
    more: Sequence[tuple[str, str]] = (),
    tail: Sequence[str] = (),
) -> str:
    """The text of the module.

    Args:
        plans: Classes and aliases, each before what uses it.
        annotations: Made the annotations, and knows what they import.
        style: One of `STYLES`.
        about: The first line of its docstring.
        more: Other names to import: module and name.
        tail: Lines at its end.
    """
    form = _FORMS[style]
    body: list[str] = []
    names = annotations.imports()
    classes = [plan for plan in plans if isinstance(plan, ClassPlan)]
    defaults = any(
        plan.collects or any(field.default == "set()" for field in plan.fields) for plan in classes
    )
    for module, name in (
        *(form.names if classes else ()),
        *(form.for_defaults if defaults else ()),
        *(("ddbstream", "keys") for plan in classes if plan.keys),
        *(("ddbstream.models", "model") for plan in classes if _options(plan)),
        *more,
    ):
        names.setdefault(module, set()).add(name)
    for plan in plans:
        if isinstance(plan, Alias):
            body += ["", "", *_alias_lines(plan)]
        else:
            body += ["", "", *_class_lines(plan, form)]
    head = [
        f'"""{about}',
        "",
        "A comment at a field says in how many items it was seen.",
        '"""',
        "",
        "from __future__ import annotations",
        "",
        *import_lines(names, form.modules if classes else ()),
    ]
    return "\n".join([*head, *body, *tail]) + "\n"


def _alias_lines(alias: Alias) -> list[str]:
    if not alias.opening:
        return union_lines(alias.name, alias.parts)
    if len(alias.parts) == 1:
        return [f"{alias.name} = {alias.opening}{alias.parts[0]}]"]
    return bracketed(f"{alias.name} = {alias.opening}", alias.parts, "]")


def _class_lines(plan: ClassPlan, form: _Form) -> list[str]:
    lines = _keys_lines(plan.keys) if plan.keys else []
    options = _options(plan)
    if options:
        lines += bracketed("@model(", options, ")")
    if form.decorator:
        lines.append(form.decorator)
    lines += [f"class {plan.name}{form.base}:", f'    """{plan.about}"""']
    if plan.fields or plan.collects:
        lines.append("")
    for field in plan.fields:
        lines += _field_lines(field, form)
    if plan.collects:
        lines.append(f"    {plan.collects}: dict[str, Any] = {form.empty_dict}")
    return lines


def _options(plan: ClassPlan) -> list[str]:
    options = []
    if plan.rename:
        options.append(f"rename={quoted(plan.rename)}")
    if plan.collects:
        options.append(f"collect={quoted(plan.collects)}")
    if plan.none_omitted:
        options.append('none="omit"')
    return options


def _keys_lines(keys: dict[str, str]) -> list[str]:
    if all(is_word(name) and name.isascii() for name in keys):
        return bracketed("@keys(", [f"{name}={quoted(text)}" for name, text in keys.items()], ")")
    entries = [f"{quoted(name)}: {quoted(text)}" for name, text in keys.items()]
    line = f"@keys(**{{{', '.join(entries)}}})"
    if columns(line) <= WIDTH:
        return [line]
    return ["@keys(", "    **{", *(f"        {entry}," for entry in entries), "    }", ")"]


def _field_lines(field: FieldPlan, form: _Form) -> list[str]:
    text = field.annotation.text
    if field.optional and text != "Any":
        text += " | None"
    marks = []
    if field.annotation.epoch:
        marks.append(f"Epoch({quoted(field.annotation.epoch)})")
    if field.renamed:
        marks.append(f"Attribute({quoted(field.attribute)})")
    default = f" = {field.default}" if field.default else ""
    if field.default == "set()":  # which would be one set for all instances
        default = f" = {form.empty_set}"
    comment = f"# {field.note}"
    if not marks:
        line = f"    {field.name}: {text}{default}"
        if columns(line) + 2 + columns(comment) <= WIDTH:
            return [f"{line}  {comment}"]
        return [f"    {comment}", line]
    opening, closing = f"{field.name}: Annotated[", f"]{default}"
    lines = bracketed(opening, [text, *marks], closing, indent=4, rest=f"  {comment}")
    if len(lines) == 1:
        return [f"{lines[0]}  {comment}"]
    lines = bracketed(opening, [text, *(_fitted(mark) for mark in marks)], closing, indent=4)
    return [f"    {comment}", *lines]


def _fitted(mark: str) -> str:
    """A mark whose argument is too long for its line."""
    if columns(mark) + 9 <= WIDTH:
        return mark
    name, _, argument = mark.partition("(")
    return f"{name}(\n            {argument[:-1]},\n        )"
