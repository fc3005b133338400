"""Assertions whose failures show what differs, in any test runner."""

from __future__ import annotations

from difflib import ndiff
from typing import TYPE_CHECKING

from ddbstream import diff
from ddbstream.testing._record_forms import json_item

if TYPE_CHECKING:
    from ddbstream import Diff
    from ddbstream.testing.harness import Outcome

__all__ = ["assert_handled", "assert_item"]


def assert_handled(outcome: Outcome, *handlers: str) -> None:
    """Check which handlers ran, in order; no name means that none did.

    Args:
        outcome: What a `RouterHarness` gave.
        handlers: The handlers' names.

    Raises:
        AssertionError: Others ran. The message has both lists side by side, what became of each
            record, and the first failure as its cause.
    """
    __tracebackhide__ = True
    if outcome.handlers == handlers:
        return
    compared = "\n".join(f"  {line}" for line in ndiff(handlers, outcome.handlers))
    message = f"other handlers ran (- is wanted, + ran):\n{compared}\n{outcome}"
    cause = outcome.failures[0].error if outcome.failures else None
    raise AssertionError(message) from cause


def assert_item(found: object, expected: object) -> None:
    """Check that two items are the same, as DynamoDB has it: ``5`` is ``5.0``, and sets are sets.

    Args:
        found: A model, an item of Python values, or a wire item.
        expected: The same; the two may be of different kinds.

    Raises:
        AssertionError: They differ. The message has a line for each path that does.
        EncodeError: One cannot be written as an item.
    """
    __tracebackhide__ = True
    differing = changed(expected, found)
    if differing:
        raise AssertionError(f"the item differs (expected -> found):\n{differing}")


def changed(old: object, new: object) -> Diff:
    """What differs between two items of any kind."""
    return diff(json_item(old), json_item(new), wire=True)
