"""``@keys`` templates: fields inside composite keys, both ways.

A template is literal text and ``{field}`` parts. No field's text may contain the literal that
follows the field (writing refuses it). So a part ends where that literal first occurs, the last
part ends with the key, and reading is unambiguous.
"""

from __future__ import annotations

from string import Formatter

from ddbstream._values.tags import path_of
from ddbstream.exceptions import EncodeError, KeyTemplateError, ModelDefinitionError


class KeyTemplate:
    """One parsed template.

    Attributes:
        attribute: The key attribute's name.
        template: Its text, as written.
        literals: The literal texts around and between the fields; one more than ``fields``.
        fields: The field names, in order.
        formats: Their format specifications: ``06d`` of ``{number:06d}``, mostly empty.
    """

    def __init__(self, attribute: str, template: str) -> None:
        self.attribute = attribute
        self.template = template
        self.literals, self.fields, self.formats = _parse(attribute, template)

    def __repr__(self) -> str:
        return f"KeyTemplate({self.attribute!r}, {self.template!r})"

    def match(self, text: str) -> tuple[str, ...] | None:
        """The fields' texts, or None if the key does not match."""
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
        """The error for a key that does not match, in an item at ``path``."""
        place = path_of((*path, self.attribute))
        return KeyTemplateError(
            path=place, expected=expected or f"a key like {self.template}", found=found
        )

    @property
    def simple(self) -> bool:
        """Whether the template is one literal, or a literal and one field."""
        return not self.fields or (
            len(self.fields) == 1 and not self.literals[1] and not self.formats[0]
        )

    @property
    def is_field(self) -> bool:
        """Whether the template is one field, and nothing else."""
        return self.simple and self.literals == ["", ""]

    def write(self, parts: tuple[str, ...]) -> str:
        """Make a key from the fields' texts; raises EncodeError if they would not be read back."""
        literals = self.literals
        text = literals[0] + "".join(
            part + literal for part, literal in zip(parts, literals[1:], strict=True)
        )
        if self.match(text) != parts:
            raise EncodeError(
                f"a field's text holds what separates the parts of {self.template}",
                path=path_of((self.attribute,)),
            )
        return text


def _parse(attribute: str, template: str) -> tuple[list[str], list[str], list[str]]:
    literals: list[str] = []
    fields: list[str] = []
    formats: list[str] = []
    problem = "" if template else "it is empty"
    try:
        # literal text, field, format specification, conversion: str.format's own grammar
        parts = list(Formatter().parse(template))
    except ValueError as error:
        parts, problem = [], str(error)
    for literal, name, spec, conversion in parts:
        _extend(literals, fields, literal)
        if name is None:
            continue
        if not name.isidentifier() or conversion or "{" in (spec or ""):
            problem = "its parts are {field} or {field:format}"
        fields.append(name)
        formats.append(spec or "")
    _extend(literals, fields, "")
    if any(not between for between in literals[1:-1]):
        problem = "nothing separates two fields"
    if problem:
        raise ModelDefinitionError(
            f"bad key template {template!r}: {problem}", path=path_of((attribute,))
        )
    return literals, fields, formats


def _extend(literals: list[str], fields: list[str], text: str) -> None:
    """Add literal text after the fields so far; text with escaped braces comes in pieces."""
    if len(literals) == len(fields):
        literals.append(text)
    else:
        literals[-1] += text
