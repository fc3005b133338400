"""``ddbstream demo``: the product catalogue on one machine, and its stream as it happens."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.client import HTTPConnection
from threading import Condition, Event, Thread
from typing import TYPE_CHECKING, Any

import click

from ddbstream import Change, StreamRouter, by_key_prefix
from ddbstream.cli._aws import boto3_client, environment, reported
from ddbstream.cli._http import LOOPBACK, serving
from ddbstream.cli._local_dynamodb import PORT_TAKEN, dynamodb
from ddbstream.cli._parameters import json_option, profile_option
from ddbstream.cli._product_catalog import LONGEST_BODY, ProductApi, functions, product_table
from ddbstream.cli._render import Output
from ddbstream.cli._signals import interrupted_by_signals
from ddbstream.poller import StreamPoller

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

__all__ = ["demo"]

_PATIENCE = 30.0  # seconds for a change to arrive; AWS takes about one
_SERVE_PORT = 8000

# JSON text, as a browser would send it: nothing between here and the log may round a price.
_PRODUCTS = (
    '{"name": "Walnut desk", "price": 1299.99, "category": "furniture"}',
    '{"name": "Brass lamp", "price": 89.50, "category": "lighting"}',
    '{"name": "Wool rug", "price": 349, "category": "textiles"}',
)
_NEW_PRICE = '{"price": 1149.95}'
_AS_JSON = "-H 'Content-Type: application/json'"


@click.command()
@click.option(
    "--endpoint-url",
    metavar="URL",
    help="DynamoDB to use: DynamoDB Local, or AWS. Makes a table there and deletes it again. "
    "Without it, one inside this process.",
)
@click.option(
    "--serve", is_flag=True, help="Then keep the API up, and go on watching until Ctrl-C."
)
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The API's port; 8000 with --serve, else any."
)
@profile_option
@json_option
def demo(endpoint_url: str | None, port: int | None, *, serve: bool, as_json: bool) -> None:
    """Run a product catalogue on this machine and watch its stream.

    Adds products through its API, changes a price, deletes one, and shows each change as the stream
    delivers it: typed, with its diff. Needs no AWS account.
    """
    output = Output(as_json=as_json)
    if port is None:
        port = _SERVE_PORT if serve else 0
    with interrupted_by_signals(), dynamodb(endpoint_url):
        try:
            with reported():
                complete = _run(output, port, serve=serve)
        except KeyboardInterrupt:
            output.note("stopped", "dim")
            raise SystemExit(0 if serve else 130) from None
    raise SystemExit(0 if complete else 1)


def _run(output: Output, port: int, *, serve: bool) -> bool:
    add_product, change_product, product_changes = functions()
    add_product.dynamodb.cache_clear()  # a client of this run, not of one before in this process
    client = boto3_client("dynamodb")
    with product_table(client) as table, environment({"TABLE_NAME": table.name}):
        watch = Watch(product_changes, output)
        api = serving(
            ProductApi(add_product, change_product).respond,
            (LOOPBACK, port),
            longest_body=LONGEST_BODY,
            refusal=PORT_TAKEN,
        )
        with api as url, _polling(table.stream_arn, watch):
            if not output.as_json:
                output.note(f"DynamoDB table {table.name}, its API at {url}\n", "dim")
            complete = _story(url, watch, output)
            if serve and complete:
                _tell_how(url, output)
                watch.until_stopped()
    return complete


class Watch:
    """The example's stream router and one more handler, which shows what arrives and counts it.

    Attributes:
        router: For the poller to drive.
        failure: What ended the poller, unless it ended by itself.
    """

    def __init__(self, product_changes: ModuleType, output: Output) -> None:
        self._output = output
        self._seen: set[str | None] = set()
        self._arrived = Condition()
        self._stopped = Event()
        self.failure: BaseException | None = None
        self.router = StreamRouter(classify=by_key_prefix("PK"))
        self.router.include(product_changes.router)
        self.router.on_change(product_changes.Product)(self._show)

    def _show(self, record: Change[Any]) -> None:
        with self._arrived:
            if record.event_id not in self._seen:  # a poller delivers at least once
                self._output.change(record, "Product")
                self._seen.add(record.event_id)
            self._arrived.notify_all()

    def stopped(self, failure: BaseException | None) -> None:
        """Tell that nothing more will arrive."""
        with self._arrived:
            self.failure = failure
            self._stopped.set()
            self._arrived.notify_all()

    def wait_for(self, changes: int) -> bool:
        """Wait until so many changes have been seen; whether they have."""
        with self._arrived:
            self._arrived.wait_for(self._is_over(changes), _PATIENCE)
            if self.failure is not None:
                raise click.ClickException(f"the poller stopped: {self.failure}")
            return len(self._seen) >= changes and not self._output.closed

    def _is_over(self, changes: int) -> Any:
        return lambda: len(self._seen) >= changes or self._stopped.is_set() or self._output.closed

    def until_stopped(self) -> None:
        """Wait for Ctrl-C, in steps short enough for one to get through on any platform."""
        while not self._stopped.wait(0.2) and not self._output.closed:
            pass


@contextmanager
def _polling(stream_arn: str, watch: Watch) -> Iterator[None]:
    """A poller on the stream in a thread of its own."""
    poller = StreamPoller(stream_arn, watch.router)
    thread = Thread(target=_poll, args=(poller, watch), daemon=True)
    thread.start()
    try:
        yield
    finally:
        poller.stop()
        thread.join(_PATIENCE)


def _poll(poller: StreamPoller, watch: Watch) -> None:
    try:
        poller.run()
    except Exception as error:  # noqa: BLE001 -- the main thread raises it
        watch.stopped(error)
    else:
        watch.stopped(None)


def _story(url: str, watch: Watch, output: Output) -> bool:
    """Make the changes, each when the one before has been seen; whether all were."""
    paths: list[str] = []
    changes = 0
    for body in _PRODUCTS:
        answer = _request(url, "POST", "/product", body, output)
        paths.append(f"/product/{answer['id']}")
        changes += 1
        if not watch.wait_for(changes):
            return _gave_up(changes, output)
    for method, path, body in (("PATCH", paths[0], _NEW_PRICE), ("DELETE", paths[1], "")):
        _request(url, method, path, body, output)
        changes += 1
        if not watch.wait_for(changes):
            return _gave_up(changes, output)
    return True


def _gave_up(change: int, output: Output) -> bool:
    if not output.closed:
        output.note(f"change {change} did not arrive within {_PATIENCE:.0f} seconds", "bold red")
    return output.closed  # whoever closed the pipe had seen enough


def _request(url: str, method: str, path: str, body: str, output: Output) -> dict[str, Any]:
    connection = HTTPConnection(url.removeprefix("http://"), timeout=_PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer: dict[str, Any] = json.loads(response.read())
    finally:
        connection.close()
    if not output.as_json:
        output.note(f"{method} {path} {body}".rstrip() + f" → {response.status}", "cyan")
    if response.status >= 400:
        raise click.ClickException(f"{method} {path}: {response.status} {answer}")
    return answer


def _tell_how(url: str, output: Output) -> None:
    output.note("The API stays up until Ctrl-C. In another terminal:\n", "bold")
    output.note(f"  curl -X POST {url}/product {_AS_JSON} -d '{_PRODUCTS[2]}'")
    output.note(f"  curl -X PATCH {url}/product/ID {_AS_JSON} -d '{_NEW_PRICE}'")
    output.note(f"  curl -X DELETE {url}/product/ID\n")
