"""``module:name`` arguments: the user's own code, imported from where the command runs."""

from __future__ import annotations

import sys
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from ddbstream import StreamRouter

__all__ = ["Loaded", "stream_router"]


if TYPE_CHECKING:
    _ParamType = click.ParamType[object]
else:  # older versions of click have it without parameters
    _ParamType = click.ParamType


class Loaded(_ParamType):
    """An object by ``module:name``, or ``module.name`` as Lambda's configuration writes it.

    The current folder comes first on ``sys.path``, as for ``python -m``. An error inside the module
    keeps its traceback: it is a bug to be found, and no wrong argument.

    Args:
        what: What the object is, for the help and for messages.
    """

    name = "module:name"

    def __init__(self, what: str) -> None:
        self.what = what

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Import the module and take the object out of it."""
        if not isinstance(value, str):
            return value
        module_name, colon, name = value.partition(":")
        if not colon:
            module_name, _, name = value.rpartition(".")
        if not module_name or not name:
            self.fail(f"{value!r} is not module:name", param, ctx)
        if "" not in sys.path:
            sys.path.insert(0, "")
        try:
            module: object = import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
                raise
            self.fail(f"there is no module {error.name!r} here", param, ctx)
        try:
            return reduce(getattr, name.split("."), module)
        except AttributeError:
            self.fail(f"module {module_name!r} has no {self.what} {name!r}", param, ctx)


def stream_router(value: object) -> StreamRouter:
    """The object that the argument ROUTER named; what is no router is wrong usage."""
    if not isinstance(value, StreamRouter):
        raise click.UsageError(f"ROUTER is a {type(value).__name__}, and no StreamRouter")
    return value
