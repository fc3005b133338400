"""The functions of a template that answer over HTTP, in API Gateway's place.

A request becomes a proxy event that has what both kinds of API send (payload 1.0 and 2.0), as far
as a function of a few lines reads it.
"""

from __future__ import annotations

import binascii
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from ddbstream.cli._http import LOOPBACK, Request, Response, function_response, message, serving
from ddbstream.cli._local_dynamodb import PORT_TAKEN
from ddbstream.cli._parameters import Loaded
from ddbstream.cli._product_catalog import LONGEST_BODY, proxy_event
from ddbstream.cli._standard_streams import complain
from ddbstream.cli._templates import Function
from ddbstream.testing._lambda_context import LambdaContext

__all__ = ["FunctionsApi", "serving_api"]


@contextmanager
def serving_api(functions: Sequence[Function], port: int) -> Iterator[str]:
    """Answer for functions on this machine while this is open; gives the URL.

    Raises:
        click.ClickException: The port is taken.
    """
    api = FunctionsApi(functions)
    refusal = PORT_TAKEN.replace("--port", "--api-port")
    with serving(api.respond, (LOOPBACK, port), longest_body=LONGEST_BODY, refusal=refusal) as url:
        paths = ", ".join(f"{method} {path}" for one in functions for method, path in one.paths)
        complain(f"API at {url}: {paths}")
        yield url


class FunctionsApi:
    """Finds the function for a request, and calls it.

    Args:
        functions: Each with its paths; each is imported here.
    """

    def __init__(self, functions: Sequence[Function]) -> None:
        self._routes = [
            (method, _pattern(path), path, one, _loaded(one))
            for one in functions
            for method, path in one.paths
        ]

    def respond(self, request: Request) -> Response:
        """What the function answers; 404 if there is none."""
        for method, pattern, path, function, handler in self._routes:
            found = pattern.fullmatch(request.path)
            if found and method in (request.method, "*", "ANY"):
                event = _event(request, path, found.groupdict())
                context = LambdaContext(function.name, function.timeout, time.monotonic)
                return _response(handler(event, context))
        return message(404, "no function answers this")


def _pattern(path: str) -> re.Pattern[str]:
    """A path of API Gateway: ``/product/{id}``, ``/{proxy+}``, or ``/*`` for any."""
    parts = re.split(r"\{(\w+)(\+?)\}", path)
    made = re.escape(parts[0]).replace(r"\*", ".*")
    for name, greedy, text in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        made += f"(?P<{name}>{'.+' if greedy else '[^/]+'})" + re.escape(text)
    return re.compile(made)


def _loaded(function: Function) -> Callable[[Any, Any], Any]:
    """The function's handler, out of its own folder.

    Raises:
        click.ClickException: It is no function, or its module has another function's name.
    """
    folder = str(function.folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    handler = Loaded("function").convert(function.handler, None, None)
    module = sys.modules[function.handler.rpartition(".")[0]]
    file = getattr(module, "__file__", None)
    if file is not None and not str(file).startswith(folder):
        raise click.ClickException(
            f"{function.name}: {file} has the name of its module, {module.__name__}"
        )
    if not callable(handler):
        raise click.ClickException(f"{function.name}: {function.handler} is no function")
    return handler


def _event(request: Request, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    return {
        **proxy_event(request, path, parameters),
        "resource": path,
        "path": request.path,
        "httpMethod": request.method,
        "pathParameters": dict(parameters) or None,
        "queryStringParameters": None,
    }


def _response(result: Any) -> Response:
    """A proxy response; anything else is its body, as HTTP APIs have it."""
    if not isinstance(result, Mapping) or "statusCode" not in result:
        return Response(200, json.dumps(result).encode() + b"\n")
    body = result.get("body") or ""
    sent = binascii.a2b_base64(body) if result.get("isBase64Encoded") else body.encode()
    return function_response(int(result["statusCode"]), sent, result.get("headers") or {})
