"""From folded items to plans of classes: fields, names, key templates, options."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ddbstream._infer.annotations import Alias, Annotation, Annotations
from ddbstream._infer.groups import Entity, Group
from ddbstream._infer.key_texts import Part
from ddbstream._infer.layout import quoted
from ddbstream._infer.names import field_name, policy_of
from ddbstream._infer.scalars import TextKind, TextSeen
from ddbstream._infer.seen import MapSeen, Seen
from ddbstream._model.markers import renamer

__all__ = ["ClassPlan", "FieldPlan", "plan_module"]


@dataclass
class FieldPlan:
    """A field of a class.

    Attributes:
        attribute: The attribute that stores it; for a field in keys, the first of those.
        annotation: Its annotation.
        note: How often it was seen.
        optional: Whether it may be None.
        default: The source of what an absent attribute becomes; None where it has to be there.
        in_key: Whether a key template has it.
        name: Its name.
        renamed: Whether an ``Attribute`` says what stores it.
    """

    attribute: str
    annotation: Annotation
    note: str
    optional: bool = False
    default: str | None = None
    in_key: bool = False
    name: str = ""
    renamed: bool = False


@dataclass
class ClassPlan:
    """A class.

    Attributes:
        name: Its name.
        about: What its items or maps are, in words.
        fields: Those without a default first.
        keys: Key templates by attribute.
        rename: The rename policy, or None.
        none_omitted: Whether None is written as no attribute at all.
        collects: The field for attributes of which there are too many; or None.
        kind: What its items say that they are, or the given classifier; None without.
        kind_attribute: The attribute in which each of its items says so; or None.
    """

    name: str
    about: str
    fields: list[FieldPlan] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    rename: str | None = None
    none_omitted: bool = False
    collects: str | None = None
    kind: str | None = None
    kind_attribute: str | None = None


#: What a class of one of the libraries has already, so that no field may be called so.
_RESERVED: Final = {
    "dataclass": frozenset[str](),
    "attrs": frozenset[str](),
    "msgspec": frozenset[str](),
    "pydantic": frozenset(
        {
            *("construct", "copy", "dict", "from_orm", "json", "model_computed_fields"),
            *("model_config", "model_construct", "model_copy", "model_dump", "model_dump_json"),
            *("model_extra", "model_fields", "model_fields_set", "model_json_schema"),
            *("model_parametrized_name", "model_post_init", "model_rebuild", "model_validate"),
            *("model_validate_json", "model_validate_strings", "parse_file", "parse_obj"),
            *("parse_raw", "schema", "schema_json", "update_forward_refs", "validate"),
        }
    ),
}


#: What annotations and defaults name, so that a field of the name would hide it.
_NO_KEY_FIELDS: Final = frozenset(
    {
        *("attrs", "bool", "bytes", "date", "datetime", "dict", "field", "int", "keys", "list"),
        *("model", "msgspec", "set", "str", "time"),
        *_RESERVED["pydantic"],
    }
)


#: What the part of a key is called that follows the class's own name, by its annotation.
_OWN_NAMES: Final = {"int": "number", "date": "day", "datetime": "timestamp"}


def plan_module(
    entities: Iterable[Entity],
    annotations: Annotations,
    *,
    style: str,
    ttl: str | None = None,
    total: int = 0,
) -> list[Alias | ClassPlan]:
    """The classes and aliases of a module, each before what uses it.

    Args:
        entities: What the items are.
        annotations: Makes the annotations; has its imports and names afterwards.
        style: The library that makes the classes.
        ttl: The attribute that is the table's time to live.
        total: How many items there are of all entities.
    """
    plans: list[Alias | ClassPlan] = []
    entities = list(entities)
    annotations.names.update(entity.name for entity in entities)
    for entity in entities:
        made = _entity(entity, annotations, ttl, total)
        plans += _nested(annotations)
        plans.append(made)
    reserved = {*_RESERVED[style], *annotations.used, "field", "attrs", "msgspec"}
    for plan in plans:
        if isinstance(plan, ClassPlan):
            _name_fields(plan, reserved)
            for found in plan.fields:
                if found.renamed:
                    annotations.use("Annotated")
                    annotations.use("Attribute")
    return plans


def _nested(annotations: Annotations) -> list[Alias | ClassPlan]:
    """Plan what annotations have asked for, and what the fields of that ask for, before it."""
    parts, annotations.parts = annotations.parts, []
    made: list[Alias | ClassPlan] = []
    for part in parts:
        if isinstance(part, Alias):
            made.append(part)
            continue
        plan = ClassPlan(part.name, f"A map, seen {part.map.count:,} times.")
        _fill(plan, part.map, annotations, None)
        made += [*_nested(annotations), plan]
    return made


def _entity(entity: Entity, annotations: Annotations, ttl: str | None, total: int) -> ClassPlan:
    count = entity.group.map.count
    about = f"{count:,} of {total:,} items." if total != count else f"All {total:,} items."
    about = "One item." if total == 1 else about
    plan = ClassPlan(entity.name, about, kind=entity.kind)
    in_keys = _plan_keys(plan, entity.group, annotations)
    _fill(plan, entity.group.map, annotations, ttl, without=in_keys)
    _tag(plan, entity, annotations)
    if entity.group.map.others:
        plan.collects = "other_attributes"
        annotations.use("Any")
        annotations.use("dict")
    return plan


def _tag(plan: ClassPlan, entity: Entity, annotations: Annotations) -> None:
    """Say in the class what its items say that they are: a literal, which nobody has to give."""
    if entity.kind is None or entity.attribute is None:
        return
    for found in plan.fields:
        if found.attribute == entity.attribute and not found.in_key:
            literal = quoted(entity.kind)
            found.annotation = Annotation(f"{annotations.use('Literal')}[{literal}]")
            found.default = literal
            plan.kind_attribute = found.attribute
    plan.fields.sort(key=lambda one: one.default is not None)


def _fill(
    plan: ClassPlan,
    seen: MapSeen,
    annotations: Annotations,
    ttl: str | None,
    *,
    without: Collection[str] = (),
) -> None:
    members: Mapping[str, Seen] = seen.members or {}
    nulls = absences = 0
    made = []
    for attribute in sorted(members):
        if attribute in without or not attribute:
            continue
        one = members[attribute]
        made.append(_field(one, attribute, seen.count, plan.name, annotations, attribute == ttl))
        nulls += one.nulls
        absences += seen.count - one.count
    plan.fields += [one for one in made if one.default is None]
    plan.fields += [one for one in made if one.default is not None]
    plan.none_omitted = absences > nulls and any(one.default == "None" for one in plan.fields)


def _field(
    seen: Seen, attribute: str, total: int, owner: str, annotations: Annotations, is_ttl: bool
) -> FieldPlan:
    annotation = annotations.of(seen, attribute, owner, is_ttl=is_ttl)
    note = f"{seen.count:,} of {total:,}"
    if seen.nulls:
        note += f", NULL in {seen.nulls:,}"
    made = FieldPlan(attribute, annotation, note)
    made.optional = bool(seen.nulls)
    if seen.count < total:
        made.default = "set()" if annotation.is_set and not seen.nulls else "None"
        made.optional = made.default == "None"
    return made


# --- keys ---------------------------------------------------------------------------------------


def _plan_keys(plan: ClassPlan, group: Group, annotations: Annotations) -> set[str]:
    """Plan the templates and the fields in them; the attributes that they read."""
    templates = {}
    for attribute, seen in group.keys.items():
        template = seen.template() if seen.count == group.map.count else None
        if template is not None:
            templates[attribute] = template
    made: dict[tuple[str, int], FieldPlan] = {}
    whole: dict[tuple[str, int], FieldPlan] = {}  # without those that take several parts
    for attribute, template in templates.items():
        for part in template:
            if part.literal is not None:
                continue
            place = (attribute, part.place)
            same = _same_part(group, place, whole) if part.seen else None
            made[place] = same or _key_field(attribute, part, annotations, group)
            if part.seen:
                whole[place] = made[place]
    _name_key_fields(plan, group, templates, made)
    for attribute, template in templates.items():
        texts = [_template_text(part, made, attribute) for part in template]
        plan.keys[attribute] = group.keys[attribute].separator.join(texts)
    for one in made.values():
        if not any(one is known for known in plan.fields):
            plan.fields.append(one)
    return set(templates)


def _same_part(
    group: Group, place: tuple[str, int], made: Mapping[tuple[str, int], FieldPlan]
) -> FieldPlan | None:
    """The field of another key that has had the same text in every item."""
    for other, found in made.items():
        if (other, place) in (group.equal or ()) or (place, other) in (group.equal or ()):
            return found
    return None


def _key_field(attribute: str, part: Part, annotations: Annotations, group: Group) -> FieldPlan:
    annotation = Annotation(annotations.use(_key_kind(part.seen)))
    note = f"{group.map.count:,} of {group.map.count:,}, in {attribute}"
    note = note if note.isprintable() else note.partition(",")[0]
    return FieldPlan(attribute, annotation, note, in_key=True)


def _key_kind(seen: TextSeen | None) -> str:
    if seen is None:
        return "str"
    for kind, name in (
        (TextKind.UUID, "UUID"),
        (TextKind.INT | TextKind.PADDED, "int"),
        (TextKind.DATE, "date"),
    ):
        if seen.kinds & kind:
            return name
    if seen.kinds & (TextKind.AWARE | TextKind.NAIVE) and seen.kinds & TextKind.EXACT:
        return "datetime"
    return "str"


def _template_text(part: Part, made: Mapping[tuple[str, int], FieldPlan], attribute: str) -> str:
    if part.literal is not None:
        return part.literal.replace("{", "{{").replace("}", "}}")
    found = made[attribute, part.place]
    seen = part.seen
    if seen is not None and found.annotation.text == "int" and not seen.kinds & TextKind.INT:
        return f"{{{found.name}:0{seen.width}d}}"
    return f"{{{found.name}}}"


def _name_key_fields(
    plan: ClassPlan,
    group: Group,
    templates: Mapping[str, list[Part]],
    made: Mapping[tuple[str, int], FieldPlan],
) -> None:
    """Name the fields in keys by the word before them; an attribute of that name keeps it."""
    others = (name for name in group.map.members or {} if name not in templates)
    taken = {*map(field_name, others), *_NO_KEY_FIELDS}
    for (attribute, place), found in made.items():
        if found.name:
            continue
        fields = (part for part in templates[attribute] if part.literal is None)
        word = next(part.name for part in fields if part.place == place)
        stem = field_name(word) if word else field_name(attribute)
        wishes = [stem, f"{stem}_id", f"{stem}_key", f"{field_name(attribute)}_{stem}"]
        if word and stem == field_name(plan.name):
            wishes.insert(0, _OWN_NAMES.get(found.annotation.text, "id"))
        number = 1
        while not (free := [wish for wish in wishes if wish not in taken]):
            number += 1
            wishes.append(f"{stem}_{number}")
        found.name = free[0]
        taken.add(found.name)


# --- names --------------------------------------------------------------------------------------


def _name_fields(plan: ClassPlan, reserved: Collection[str]) -> None:
    """Name the fields that are not in keys, and choose what gives their attributes' names back."""
    taken = {found.name for found in plan.fields if found.in_key}
    if plan.collects:
        taken.add(plan.collects)
    others = [found for found in plan.fields if not found.in_key]
    # A field whose attribute has the name already is not to lose it to another spelling.
    for found in sorted(others, key=lambda one: field_name(one.attribute) != one.attribute):
        stem = name = field_name(found.attribute)
        if name in reserved:
            stem = name = f"{name}_"
        number = 1
        while name in taken or name in reserved:
            number += 1
            name = f"{stem.rstrip('_')}_{number}"
        found.name = name
        taken.add(name)
    plan.rename = policy_of({found.name: found.attribute for found in others})
    from_name = renamer(plan.rename)
    for found in others:
        found.renamed = from_name(found.name) != found.attribute
