"""Diffs as JSON: a JSON Patch of the item, and a form for audit logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any

from ddbstream._diff.compare import check_name
from ddbstream._diff.edits import in_order, moved, moves
from ddbstream._diff.forms import PYTHON, WIRE, Form, within
from ddbstream._diff.render import REDACTED, masked
from ddbstream._diff.values import ABSENT, are_sets, dynamodb_type, without
from ddbstream._values.attribute_values import to_attribute_value
from ddbstream._values.binaries import binary_to_wire
from ddbstream._values.numbers import number_to_wire
from ddbstream._values.paths import Parts, Path
from ddbstream._values.tags import SET_TAGS
from ddbstream.exceptions import DiffError, EncodeError

if TYPE_CHECKING:
    from ddbstream._diff.compare import Edit
    from ddbstream._diff.render import Hidden

__all__ = ["audit_form", "json_patch", "json_value"]


# --- JSON Patch ---------------------------------------------------------------------------------


def json_patch(edits: Sequence[Edit], old: Any, new: Any, *, test: bool) -> list[dict[str, Any]]:
    """The JSON Patch that leads from one Python item to another: see `Diff.to_json_patch`."""
    moving = moves(edits)
    operations = []
    for parts, before, after in in_order(edits):
        pointer = "".join(map(_token, parts))
        if before is not ABSENT and after is not ABSENT and are_sets(before, after):
            if old is ABSENT:
                raise DiffError(
                    "made from changes alone: it does not know the whole set", path=Path.of(parts)
                )
            # The arrays of the two sets have little in common but their place.
            before = within(PYTHON, old, parts)  # noqa: PLW2901
            after = within(PYTHON, new, moved(parts, moving))  # noqa: PLW2901
        if test and before is not ABSENT:
            operations.append({"op": "test", "path": pointer, "value": json_value(before, parts)})
        if after is ABSENT:
            operations.append({"op": "remove", "path": pointer})
        else:
            name = "add" if before is ABSENT else "replace"
            operations.append({"op": name, "path": pointer, "value": json_value(after, parts)})
    return operations


def _token(part: str | int) -> str:
    # RFC 6901, section 3.
    return "/" + str(part).replace("~", "~0").replace("/", "~1")


def json_value(value: Any, parts: Parts = ()) -> Any:
    """A Python value as plain JSON.

    Raises:
        DiffError: It has no JSON form; the error names the path.
    """
    kind = dynamodb_type(value)
    if kind == "M":
        for name in value:
            check_name(name, parts)
        return {name: json_value(inner, (*parts, name)) for name, inner in value.items()}
    if kind == "L":
        return [json_value(inner, (*parts, at)) for at, inner in enumerate(value)]
    if kind == "N":
        number = _json_number(value)
        if number is not None:
            return number
    elif kind in ("S", "BOOL", "NULL"):
        return value
    elif kind == "B":
        return binary_to_wire(value, json=True)
    elif kind in (*SET_TAGS, "set"):
        return [json_value(member, parts) for member in sorted(value, key=_order)]
    raise DiffError("no JSON form", path=Path.of(parts) or None, found=type(value).__name__)


def _order(member: Any) -> tuple[str, Any]:
    return dynamodb_type(member), member


def _json_number(value: Any) -> int | float | None:
    if isinstance(value, Decimal):
        # Past DynamoDB's range there may be an exponent that would fill the memory with zeros.
        if not value.is_finite() or value.adjusted() > 308:
            return None
        whole = int(value)
        return whole if whole == value else float(value)
    return value if isinstance(value, int) or isfinite(value) else None


# --- the audit form -----------------------------------------------------------------------------


def audit_form(edits: Sequence[Edit], form: Form, hidden: Sequence[Hidden]) -> dict[str, Any]:
    """See `Diff.to_dict`."""
    return {"version": 1, "changes": [_entry(edit, form, hidden) for edit in edits]}


def _entry(edit: Edit, form: Form, hidden: Sequence[Hidden]) -> dict[str, Any]:
    parts, old, new = edit
    entry: dict[str, Any] = {"op": "replaced", "path": str(Path.of(parts))}
    if old is ABSENT:
        entry["op"] = "added"
        values = {"value": new}
    elif new is ABSENT:
        entry["op"] = "removed"
        values = {"value": old}
    elif form.are_sets(old, new):
        entry["op"] = "set_changed"
        before, after = (form.read(value, parts) for value in (old, new))
        values = {
            name: members
            for name, members in (
                ("added", without(after, before)),
                ("removed", without(before, after)),
            )
            if members
        }
        form = PYTHON
    else:
        values = {"old": old, "new": new}
    for name, value in values.items():
        read = form.read(value, parts)
        shown = masked(parts, read, hidden)
        if shown is read:
            entry[name] = _in_json(value, form, parts)
        else:
            entry["redacted"] = True
            if shown is not REDACTED:
                entry[name] = _in_json(_left(shown), PYTHON, parts)
    return entry


def _left(shown: Any) -> Any:
    """What is left of a value without what is hidden in it."""
    if shown.__class__ is dict:
        return {name: _left(inner) for name, inner in shown.items() if inner is not REDACTED}
    if shown.__class__ is list:
        return [_left(inner) for inner in shown if inner is not REDACTED]
    return shown


def _in_json(value: Any, form: Form, parts: Parts) -> Any:
    """A value in DynamoDB's JSON."""
    if form is WIRE:
        return _wire_in_json(value)
    try:
        return _sorted_sets(to_attribute_value(value, wire="json"))
    except EncodeError as error:
        raise error.located(str(Path.of(parts))) from None


def _wire_in_json(value: Mapping[str, Any]) -> dict[str, Any]:
    # `_entry` has read it: it is well formed.
    ((tag, payload),) = value.items()
    if tag == "M":
        return {"M": {name: _wire_in_json(inner) for name, inner in payload.items()}}
    if tag == "L":
        return {"L": [_wire_in_json(inner) for inner in payload]}
    if tag == "B":
        return {"B": binary_to_wire(payload, json=True)}
    if tag == "BS":
        return {"BS": sorted(str(binary_to_wire(member, json=True)) for member in payload)}
    if tag == "N":
        return {"N": _digits(payload)}
    if tag == "NS":
        return {"NS": sorted(map(_digits, payload))}
    return {tag: sorted(payload) if tag == "SS" else payload}


def _digits(number: Any) -> str:
    """A number as text, which a hand-edited event may not have it as."""
    return number if isinstance(number, str) else number_to_wire(number)


def _sorted_sets(value: Any) -> Any:
    """The same value with the members of its sets in an order: two equal diffs, one text."""
    ((tag, payload),) = value.items()
    if tag == "M":
        return {"M": {name: _sorted_sets(inner) for name, inner in payload.items()}}
    if tag == "L":
        return {"L": [_sorted_sets(inner) for inner in payload]}
    return {tag: sorted(payload) if tag in SET_TAGS else payload}
