"""What records of one item have in common: the values of their keys, however they are spelled.

DynamoDB spells a key in one way, but records come in two forms, boto3's and JSON's, and binary may
be of any type with a buffer, whose `repr` is an address.
"""

from __future__ import annotations

from typing import Any

from ddbstream._values.attribute_values import from_attribute_value
from ddbstream._values.json_values import is_map
from ddbstream._values.tags import tag_of
from ddbstream.exceptions import DDBStreamError

__all__ = ["item_with"]


def item_with(keys: object) -> object:
    """Something to hash, equal if and only if two records' keys are of one item.

    Args:
        keys: A record's ``Keys``. None comes of those that cannot be read, whatever is in them:
            they may be of one item.
    """
    if not is_map(keys):
        return None
    try:
        return frozenset([(name, *_spelled_once(value)) for name, value in keys.items()])
    except (DDBStreamError, TypeError):  # no attribute value, or a list, which is no key
        return None


def _spelled_once(value: Any) -> tuple[str, Any]:
    if type(value) is dict and len(value) == 1:
        text = value.get("S")  # most keys are text
        if type(text) is str:
            return "S", text
    return tag_of(value), from_attribute_value(value)
