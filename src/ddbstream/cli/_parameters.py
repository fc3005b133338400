"""The arguments and options that several commands take, and the types that click does not have."""

from __future__ import annotations

import os
import sys
from datetime import datetime
from functools import reduce
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal, cast

import click
from click.shell_completion import CompletionItem

from ddbstream import LambdaHandler, StreamRouter
from ddbstream._model import codec_for
from ddbstream._values.iso_times import datetime_from_iso
from ddbstream.cli._aws import use_profile
from ddbstream.cli._completion import complete_names, is_completing
from ddbstream.cli._standard_streams import complain, prints_apart, short_traceback
from ddbstream.exceptions import ModelDefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    Start = Literal["TRIM_HORIZON", "LATEST"] | datetime

__all__ = [
    "Address",
    "Loaded",
    "LoadedModel",
    "StartingPoint",
    "aws_options",
    "json_option",
    "profile_option",
    "stream_router",
]

json_option = click.option("--json", "as_json", is_flag=True, help="Print NDJSON, as in a pipe.")


def _set_profile(ctx: click.Context, _param: click.Parameter, name: str | None) -> None:
    if name is not None and is_completing():
        os.environ["AWS_PROFILE"] = name  # the names are asked for when the context has closed
    elif name is not None and not ctx.resilient_parsing:
        ctx.with_resource(use_profile(name))


profile_option = click.option(
    "--profile",
    metavar="NAME",
    is_eager=True,
    expose_value=False,
    callback=_set_profile,
    help="AWS profile, from `aws configure`.",
)
"""``--profile``: it is there for whatever makes a client while the command runs."""


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--endpoint-url``, ``--region`` and ``--profile``: `boto3.client` takes the first two."""
    command = profile_option(command)
    command = click.option("--region", "region_name", metavar="NAME", help="AWS region.")(command)
    return click.option(
        "--endpoint-url",
        metavar="URL",
        help="DynamoDB Local, or any endpoint but the region's own.",
    )(command)


if TYPE_CHECKING:
    _ParamType = click.ParamType
else:

    class _ParamType(click.ParamType):
        def __class_getitem__(cls, _: object) -> type:  # older versions of click take no parameter
            return cls


class BrokenModule(click.ClickException):
    """The user's module cannot be imported: its own traceback, and no usage."""

    def __init__(self, module: str, error: Exception) -> None:
        super().__init__(f"{module} cannot be imported: {type(error).__name__}")
        self._traceback = short_traceback(error)

    def show(self, file: Any = None) -> None:
        """Print the traceback, which ends with what is wrong."""
        complain(self._traceback, lines=True)
        complain(f"Error: {self.format_message()}")


class Loaded(_ParamType[object]):
    """An object by ``module:name``, or ``module.name`` as Lambda's configuration writes it.

    The current folder comes first on ``sys.path``, as for ``python -m``. An error inside the module
    is a bug in the user's code and not a wrong argument: it is shown as Python would show it. What
    the module prints is no output of the command's.

    Args:
        what: What the object is, for the help and for messages.
    """

    name = "module:name"

    def __init__(self, what: str) -> None:
        self.what = what

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Complete a module of this folder, or a name in it."""
        return complete_names(incomplete)

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
            with prints_apart():
                module: object = import_module(module_name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the user's
            missing = error.name if isinstance(error, ModuleNotFoundError) else None
            if missing is None or not f"{module_name}.".startswith(f"{missing}."):
                raise BrokenModule(module_name, error) from None
            self.fail(f"there is no module {missing!r} here", param, ctx)
        try:
            return reduce(getattr, name.split("."), module)
        except AttributeError:
            self.fail(f"module {module_name!r} has no {self.what} {name!r}", param, ctx)


class LoadedModel(Loaded):
    """A class that reads items, as `Loaded`."""

    def __init__(self) -> None:
        super().__init__("class")

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        """Import it, and find out whether it can work."""
        model: Any = super().convert(value, param, ctx)
        try:
            codec_for(model)
        except ModelDefinitionError as error:
            self.fail(f"{value} is no model: {error}", param, ctx)
        return model


def stream_router(value: object, *, runs: bool = True) -> StreamRouter:
    """What the argument ROUTER named, if it is a router; anything else is wrong usage.

    A handler's router will do for a command that ``runs`` none of its handlers: what else a handler
    has been told is of no account there.
    """
    if isinstance(value, LambdaHandler):
        if not runs:
            return value.router
        raise click.UsageError("ROUTER is a LambdaHandler: name the StreamRouter that is in it")
    if not isinstance(value, StreamRouter):
        raise click.UsageError(f"ROUTER is a {type(value).__name__}, and no StreamRouter")
    return value


class StartingPoint(_ParamType["Start"]):
    """``TRIM_HORIZON``, ``LATEST``, or a time in ISO 8601; without an offset it is local time."""

    name = "TRIM_HORIZON|LATEST|TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Start:
        """Read the argument."""
        if isinstance(value, datetime):
            return value
        if value.upper() in ("TRIM_HORIZON", "LATEST"):
            return cast("Literal['TRIM_HORIZON', 'LATEST']", value.upper())
        try:
            return datetime_from_iso(value).astimezone()
        except ValueError:
            self.fail(f"{value!r} is neither TRIM_HORIZON, LATEST nor a time", param, ctx)


class Address(_ParamType[tuple[str, int]]):
    """``PORT``, on this machine alone, or ``HOST:PORT``."""

    name = "[HOST:]PORT"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the argument."""
        host, _, port = str(value).rpartition(":")
        if not (port.isascii() and port.isdecimal() and int(port) < 65536):
            self.fail(f"{value!r} is no port, nor a host and a port", param, ctx)
        return host.strip("[]") or "127.0.0.1", int(port)
