"""What a shell may complete: the names of tables, streams, and things in the user's modules.

A shell asks at the press of a key, and shows what it gets. So nothing here waits for long, and what
goes wrong completes nothing.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from click.shell_completion import CompletionItem

from ddbstream.cli._aws import boto3_session
from ddbstream.cli._standard_streams import prints_apart

if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

__all__ = ["complete_names", "complete_tables", "is_completing"]

_MOST: Final = 300  # names; more than anybody reads
_SECONDS: Final = 2


def is_completing() -> bool:
    """Whether a shell has called the command to complete a line."""
    return "_DDBSTREAM_COMPLETE" in os.environ


def complete_tables(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Tables whose names begin so; streams, if what there is begins an ARN."""
    with suppress(Exception):  # no region, no credentials, no network: nothing to complete
        of_streams = incomplete.startswith("arn:")
        config = import_module("botocore.config").Config(
            connect_timeout=_SECONDS, read_timeout=_SECONDS, retries={"total_max_attempts": 1}
        )
        client = boto3_session().client(
            "dynamodbstreams" if of_streams else "dynamodb",
            endpoint_url=ctx.params.get("endpoint_url"),
            region_name=ctx.params.get("region_name"),
            config=config,
        )
        names = _streams(client) if of_streams else _tables(client)
        found = islice((name for name in names if name.startswith(incomplete)), _MOST)
        return [CompletionItem(name) for name in found]
    return []


def _tables(client: Any) -> Iterator[str]:
    for page in client.get_paginator("list_tables").paginate():
        yield from page["TableNames"]


def _streams(client: Any) -> Iterator[str]:
    for stream in client.list_streams()["Streams"]:
        yield stream["StreamArn"]


def complete_names(incomplete: str) -> list[CompletionItem]:
    """``module:`` for the modules of this folder; behind the colon, what the module has."""
    module_name, colon, start = incomplete.partition(":")
    if not colon:
        return [CompletionItem(f"{name}:") for name in _modules() if name.startswith(incomplete)]
    if "" not in sys.path:
        sys.path.insert(0, "")
    with suppress(Exception), prints_apart():
        names = vars(import_module(module_name))
        return [
            CompletionItem(f"{module_name}:{name}")
            for name, value in sorted(names.items())
            if name.startswith(start) and not name.startswith("_") and _is_of(value, module_name)
        ]
    return []


def _is_of(value: object, module_name: str) -> bool:
    """Whether a module has made something, and not only imported it; objects do not say."""
    made_in = getattr(value, "__module__", None)
    if isinstance(value, type) or hasattr(value, "__code__"):
        return bool(made_in == module_name)
    return callable(value) or hasattr(value, "dispatch")


def _modules() -> list[str]:
    """Modules of the current folder and of its packages, one level deep."""
    here = Path.cwd()
    found = [path.stem for path in here.glob("*.py")]
    for package in here.glob("*/__init__.py"):
        folder = package.parent
        found += [folder.name, *(f"{folder.name}.{one.stem}" for one in folder.glob("*.py"))]
    return sorted(name for name in found if "__" not in name)
