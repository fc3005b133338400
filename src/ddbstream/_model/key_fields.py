"""Fields inside ``@keys``: reading them out of an item's keys, and writing the keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ddbstream._model.nodes import FAULT, Faults
from ddbstream._model.shapes import MISSING
from ddbstream._values.paths import Parts
from ddbstream._values.tags import placed, tag_words
from ddbstream.exceptions import EncodeError

if TYPE_CHECKING:
    from ddbstream._model.key_templates import KeyTemplate
    from ddbstream._model.objects import Field, ObjectNode


def read_keys(node: ObjectNode, item: Any, path: Parts, faults: Faults) -> dict[str, Any]:
    """The values of the fields in an item's keys; FAULT for those whose fault is noted."""
    values: dict[str, Any] = {}
    fields = {f.name: f for f in node.fields if f.in_key}
    for template in node.templates:
        text = _key_text(template, fields, item, path, faults)
        if text is None:
            continue
        parts = template.match(text)
        if parts is None:
            faults.add(template.mismatch(path))
            continue
        for name, spec, part in zip(template.fields, template.formats, parts, strict=True):
            value = _read_part(template, spec, fields[name], part, path, faults)
            if name in values and values[name] != value and FAULT not in (value, values[name]):
                faults.add(template.mismatch(path, f"the {name} of the other keys", "another"))
            values[name] = value
    for name, f in fields.items():
        if name not in values:
            values[name] = f.absent()  # where it is required, the fault is noted
    return values


def _key_text(
    template: KeyTemplate, fields: dict[str, Field], item: Any, path: Parts, faults: Faults
) -> str | None:
    """The text of one key; None if it is absent, which is a fault unless all its fields may be."""
    place = (*path, template.attribute)
    if template.attribute not in item:
        if not template.fields or any(fields[name].required for name in template.fields):
            faults.note(place, "S", "nothing")
        return None
    value = item[template.attribute]
    tag = tag_words(value)
    if tag == "S" and isinstance(value["S"], str):
        text: str = value["S"]
        return text
    faults.note(place, "text in S" if tag == "S" else "S", "malformed S" if tag == "S" else tag)
    return None


def part_text(f: Field, spec: str, value: Any) -> str:
    """A field's text in a key; raises EncodeError."""
    text = f.node.to_text(value)
    return format(int(text), spec) if spec else text


def _read_part(
    template: KeyTemplate, spec: str, f: Field, part: str, path: Parts, faults: Faults
) -> Any:
    try:
        value = f.node.from_text(part)
        if part_text(f, spec, value) == part:
            return value
    except Exception:  # noqa: BLE001, S110 - whatever a conversion raises, the part is not of its kind
        pass
    return faults.add(template.mismatch(path, f"{f.name} as it would be written", "other text"))


def write_keys(node: ObjectNode, value: Any) -> dict[str, Any]:
    """The key attributes of an instance; a key with a None in it is left out.

    Raises:
        EncodeError: A field has no text, or its text would not be read back.
    """
    fields = {f.name: f for f in node.fields if f.in_key}
    written: dict[str, Any] = {}
    for template in node.templates:
        members = [node.get(fields[name], value) for name in template.fields]
        absent = [member is None or member is MISSING for member in members]
        if any(absent):
            if not all(not fields[name].required for name in template.fields):
                raise placed(
                    EncodeError(expected="a value in a key", found="None"), template.attribute
                )
            continue
        try:
            parts = tuple(
                part_text(fields[name], spec, member)
                for name, spec, member in zip(
                    template.fields, template.formats, members, strict=True
                )
            )
        except EncodeError as error:
            placed(error, template.attribute)
            raise
        written[template.attribute] = {"S": template.write(parts)}
    return written
