"""Typed DynamoDB stream records: dataclasses, exact diffs, one router for Lambda and for a poller.

Start at `StreamRouter`, `LambdaHandler` and `parse`. The poller is `ddbstream.poller`, testing
tools are `ddbstream.testing`, every error is in `ddbstream.exceptions`.

A name is imported from its module when it is first asked for: a Lambda function's cold start pays
for what the function uses, and for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ddbstream._diff import Added, Diff, Removed, Replaced, SetChanged, diff
    from ddbstream._model import Attribute, Epoch, from_item, keys, to_item
    from ddbstream._records import Change, Insert, Modify, Remove, StreamRecord
    from ddbstream._router.classify import by_attribute, by_key_prefix, by_keys, by_table_name
    from ddbstream._router.results import BatchResult, Disposition, Failure
    from ddbstream._router.router import (
        StreamRouter,
        default_router,
        on_change,
        on_insert,
        on_modify,
        on_remove,
    )
    from ddbstream._values.attribute_values import from_attribute_value, to_attribute_value
    from ddbstream._wire import parse
    from ddbstream.aws_lambda import LambdaHandler, lambda_handler
    from ddbstream.exceptions import DDBStreamError

__version__ = "0.1.0"

__all__ = [
    "Added",
    "Attribute",
    "BatchResult",
    "Change",
    "DDBStreamError",
    "Diff",
    "Disposition",
    "Epoch",
    "Failure",
    "Insert",
    "LambdaHandler",
    "Modify",
    "Remove",
    "Removed",
    "Replaced",
    "SetChanged",
    "StreamRecord",
    "StreamRouter",
    "__version__",
    "by_attribute",
    "by_key_prefix",
    "by_keys",
    "by_table_name",
    "default_router",
    "diff",
    "from_attribute_value",
    "from_item",
    "keys",
    "lambda_handler",
    "on_change",
    "on_insert",
    "on_modify",
    "on_remove",
    "parse",
    "to_attribute_value",
    "to_item",
]

_HOMES = {
    "_values.attribute_values": ("from_attribute_value", "to_attribute_value"),
    "_router.results": ("BatchResult", "Disposition", "Failure"),
    "_router.classify": ("by_attribute", "by_key_prefix", "by_keys", "by_table_name"),
    "_diff": ("Added", "Diff", "Removed", "Replaced", "SetChanged", "diff"),
    "_model": ("Attribute", "Epoch", "from_item", "keys", "to_item"),
    "_records": ("Change", "Insert", "Modify", "Remove", "StreamRecord"),
    "_router.router": (
        "StreamRouter",
        "default_router",
        "on_change",
        "on_insert",
        "on_modify",
        "on_remove",
    ),
    "_wire": ("parse",),
    "aws_lambda": ("LambdaHandler", "lambda_handler"),
    "exceptions": ("DDBStreamError",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # for a checker, a name that is not there is an error

    def __getattr__(name: str) -> object:
        home = _HOME_OF.get(name)
        if home is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = globals()[name] = getattr(import_module(f"{__name__}.{home}"), name)
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
