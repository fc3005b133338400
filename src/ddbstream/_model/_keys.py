"""``@keys`` templates: fields inside composite keys, both ways.

A template is literal text and ``{field}`` parts. Reading is unambiguous because no field's text may hold the literal
that follows it (writing refuses it), so a part ends at the first place where that literal starts; the last part ends
with the key.
"""

from __future__ import annotations

from typing import Any

from .._attribute_value import path_text
from ..exceptions import EncodeError, KeyTemplateError, ModelDefinitionError


class KeyTemplate:
    """One parsed template.

    Attributes:
        attribute: The key attribute's name.
        template: Its text, as written.
        literals: The literal texts around and between the fields; one more than ``fields``.
        fields: The field names, in order.
    """

    def __init__(self, attribute: str, template: str) -> None:
        self.attribute = attribute
        self.template = template
        self.literals, self.fields = _parse(attribute, template)

    def __repr__(self) -> str:
        return f"KeyTemplate({self.attribute!r}, {self.template!r})"

    def match(self, text: str) -> tuple[str, ...] | None:
        """The fields' texts, or None if the key is not of this template."""
        literals = self.literals
        if not text.startswith(literals[0]):
            return None
        if not self.fields:
            return () if text == literals[0] else None
        start, parts = len(literals[0]), []
        for literal in literals[1:-1]:
            end = text.find(literal, start)
            if end < 0:
                return None
            parts.append(text[start:end])
            start = end + len(literal)
        end = len(text) - len(literals[-1])
        if end < start or not text.endswith(literals[-1]):
            return None
        parts.append(text[start:end])
        return tuple(parts)

    def mismatch(
        self, path: tuple[str | int, ...], expected: str | None = None, found: str = "another"
    ) -> KeyTemplateError:
        """The error for a key that is not of this template, in an item at ``path``."""
        place = path_text((*path, self.attribute))
        return KeyTemplateError(
            path=place, expected=expected or f"a key like {self.template}", found=found
        )

    @property
    def simple(self) -> bool:
        """Whether it is one literal, or a literal and one field."""
        return not self.fields or (len(self.fields) == 1 and not self.literals[1])

    def write(self, parts: tuple[str, ...]) -> str:
        """The key of the fields' texts; raises EncodeError if it would not read back the same."""
        literals = self.literals
        text = literals[0] + "".join(
            part + literal for part, literal in zip(parts, literals[1:])
        )
        if self.match(text) != parts:
            raise EncodeError(
                f"a field's text holds what separates the parts of {self.template}",
                path=self.attribute,
            )
        return text


def _parse(attribute: str, template: str) -> tuple[list[str], list[str]]:
    literals, fields, literal = [], [], ""
    index = 0
    while index < len(template):
        char = template[index]
        if template[index : index + 2] in ("{{", "}}"):
            literal += char
            index += 2
        elif char == "{":
            end = template.find("}", index)
            name = template[index + 1 : end] if end > 0 else ""
            if not name.isidentifier():
                raise ModelDefinitionError(f"bad key template {template!r}: {{field}} expected", path=attribute)
            literals.append(literal)
            fields.append(name)
            literal, index = "", end + 1
        elif char == "}":
            raise ModelDefinitionError(f"bad key template {template!r}: single }}", path=attribute)
        else:
            literal += char
            index += 1
    literals.append(literal)
    if any(not between for between in literals[1:-1]):
        raise ModelDefinitionError(
            f"bad key template {template!r}: nothing separates two fields", path=attribute
        )
    if not template:
        raise ModelDefinitionError("an empty key template", path=attribute)
    return literals, fields
