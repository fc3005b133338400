"""What ``doctor`` finds in the settings of a stream and an event source mapping.

Nothing here asks AWS: each check takes what AWS has said already.

The parameters and what they do: AWS Lambda, `DynamoDB parameters`_.

.. _DynamoDB parameters:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-params.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ddbstream.cli._kinesis_destinations import to_enable, to_order
from ddbstream.cli._standard_streams import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ddbstream import StreamRouter
    from ddbstream._router.descriptions import RouteDescription
    from ddbstream.cli._kinesis_destinations import Destination

__all__ = [
    "App",
    "Check",
    "check_kinesis",
    "check_mapping",
    "check_readers",
    "check_timeout",
    "check_view_type",
]


class Check(NamedTuple):
    """One finding.

    Attributes:
        name: What was checked.
        status: ``problem`` if records get lost, or none are handled.
        message: What was found.
        remedy: What to do about it.
    """

    name: str
    status: Literal["ok", "warning", "problem"]
    message: str
    remedy: str | None = None


class App(NamedTuple):
    """The user's own code.

    Attributes:
        router: Where the records go.
        reports: Whether its `LambdaHandler` reports batch item failures; None if that is unknown.
        margin: Its `LambdaHandler`'s ``deadline_margin`` in seconds, if it has one.
    """

    router: StreamRouter
    reports: bool | None
    margin: float | None = None


_CARRIED: dict[str, frozenset[str]] = {
    "NEW_AND_OLD_IMAGES": frozenset({"new", "old"}),
    "NEW_IMAGE": frozenset({"new"}),
    "OLD_IMAGE": frozenset({"old"}),
    "KEYS_ONLY": frozenset(),
}
_IMAGES: dict[str, frozenset[str]] = {
    "INSERT": frozenset({"new"}),
    "MODIFY": frozenset({"new", "old"}),
    "REMOVE": frozenset({"old"}),
}
_LEAST_MS = 10
"""Milliseconds: a handler that asks another service takes as much for a record, and more."""
_REMEDY = "switch the stream off and on again with NEW_AND_OLD_IMAGES; it gets a new ARN"


def check_view_type(view_type: str, app: App | None) -> Iterator[Check]:
    """Whether the records carry the images that the routes read."""
    name = "view type"
    carried = _CARRIED.get(view_type, frozenset())
    short = False
    for route in (*app.router.routes(), *app.router.folds()) if app is not None else ():
        images = frozenset().union(*(_IMAGES[event] for event in route.events))
        if route.changed is not None and not images <= carried:
            short = True
            message = f"{view_type}: the route {route.name} has changed=, which fails without "
            yield Check(name, "problem", message + _named(images - carried), _REMEDY)
        elif lacking := (_read(route, images) & images) - carried:
            short = True
            message = f"{view_type}: the handler {route.name} seems to read "
            yield Check(name, "warning", message + _named(lacking), _REMEDY)
    if not short:
        yield Check(name, "ok", view_type)


def _read(route: RouteDescription, images: frozenset[str]) -> frozenset[str]:
    """The images that a handler seems to read, by the attributes that its own code names."""
    names = getattr(getattr(route.handler, "__code__", None), "co_names", ())
    return images if "diff" in names else images.intersection(names)


def _named(images: frozenset[str]) -> str:
    return " and ".join(f"the {image} image" for image in sorted(images))


def check_kinesis(table: str, found: Sequence[Destination]) -> Iterator[Check]:
    """Whether the table's changes get to Kinesis, and can be ordered there."""
    name = "kinesis"
    if not found:
        message = "no destination; a fleet of the Kinesis Client Library needs one"
        yield Check(name, "ok", message, to_enable(table))
    for one in found:
        message = f"{one.stream_arn} is {one.status}"
        if one.status == "ENABLE_FAILED":
            reason = f": {one.reason}" if one.reason else ""
            yield Check(name, "problem", message + reason, to_enable(table))
        elif one.status.startswith("DISABL"):
            yield Check(name, "warning", f"{message}: nothing new comes", to_enable(table))
        elif one.precision != "MICROSECOND":
            message += ", in milliseconds: newest= cannot order what happens to an item within one"
            yield Check(name, "warning", message, to_order(table, one.stream_arn))
        else:
            yield Check(name, "ok", f"{message}, in microseconds")


def check_mapping(mapping: Mapping[str, Any], app: App | None) -> Iterator[Check]:
    """How an event source mapping is set.

    Args:
        mapping: As ``ListEventSourceMappings`` gives it.
        app: What the function runs, if it is known.
    """
    partial = "ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ())
    retries = mapping.get("MaximumRetryAttempts", -1)
    age = mapping.get("MaximumRecordAgeInSeconds", -1)
    limited = retries != -1 or age != -1
    yield _state(mapping)
    if str(mapping.get("LastProcessingResult", "")).startswith("PROBLEM"):
        yield Check(
            "last invocation", "warning", str(mapping["LastProcessingResult"]), "see its log"
        )
    yield _partial_responses(app, partial=partial)
    yield _retries(retries, age)
    yield _destination(mapping, limited=limited)
    yield _bisect(mapping, partial=partial)
    yield _batch_size(mapping)
    if app is not None:
        yield from _window(mapping, app)


def _state(mapping: Mapping[str, Any]) -> Check:
    state = str(mapping.get("State", "unknown"))
    if state.startswith("Disabl"):
        remedy = f"aws lambda update-event-source-mapping --uuid {mapping['UUID']} --enabled"
        return Check("mapping", "problem", f"{mapping['UUID']} is off ({state})", remedy)
    return Check("mapping", "ok", f"{mapping['UUID']} is {state}")


def _partial_responses(app: App | None, *, partial: bool) -> Check:
    name, setting = "partial responses", f"ReportBatchItemFailures is {'on' if partial else 'off'}"
    reports = None if app is None else app.reports
    if reports is None:
        remedy = "name the function's LambdaHandler: --app module:handler"
        return Check(name, "warning", f"{setting}; whether the handler agrees is unknown", remedy)
    if reports and not partial:
        return Check(
            name,
            "problem",
            f"{setting}, but the handler reports failures: Lambda takes them as success, "
            "and the records are lost",
            "set FunctionResponseTypes to ReportBatchItemFailures",
        )
    if partial and not reports:
        return Check(
            name,
            "warning",
            f"{setting}, but the handler raises: what is done of a batch comes again with it",
            "LambdaHandler(router, report_batch_item_failures=True)",
        )
    return Check(name, "ok", f"{setting}, as the handler has it")


def _retries(retries: int, age: int) -> Check:
    limits = [f"after {retries} retries"] if retries != -1 else []
    limits += [f"when a record is {age} seconds old"] if age != -1 else []
    if limits:
        return Check("retries", "ok", f"gives up {' or '.join(limits)}")
    return Check(
        "retries",
        "warning",
        "without limit: a record that keeps failing blocks its shard until it expires after a day",
        "set MaximumRetryAttempts or MaximumRecordAgeInSeconds, and an on-failure destination",
    )


def _destination(mapping: Mapping[str, Any], *, limited: bool) -> Check:
    name = "on-failure destination"
    config = mapping.get("DestinationConfig") or {}
    arn = (config.get("OnFailure") or {}).get("Destination")
    if arn:
        return Check(name, "ok", str(arn))
    remedy = "set DestinationConfig.OnFailure; `ddbstream replay` reads what it gets"
    if limited:
        return Check(name, "problem", "none: a batch that is given up is lost", remedy)
    return Check(name, "warning", "none: a batch that expires is lost", remedy)


def _bisect(mapping: Mapping[str, Any], *, partial: bool) -> Check:
    on = bool(mapping.get("BisectBatchOnFunctionError"))
    if on or partial:
        return Check("bisect", "ok", "on" if on else "off; partial responses narrow a batch down")
    message = "off, as partial responses are: a bad record takes its whole batch along"
    return Check("bisect", "warning", message, "set BisectBatchOnFunctionError")


def _batch_size(mapping: Mapping[str, Any]) -> Check:
    size = mapping.get("BatchSize", 100)
    if size == 1:
        return Check("batch size", "warning", "1: each record is an invocation", "set BatchSize")
    return Check("batch size", "ok", str(size))


def _window(mapping: Mapping[str, Any], app: App) -> Iterator[Check]:
    seconds = mapping.get("TumblingWindowInSeconds") or 0
    lanes = mapping.get("ParallelizationFactor") or 1
    if app.router.has_folds and not seconds:
        message = "none, but the router has folds: each invocation fails"
        yield Check("window", "problem", message, "set TumblingWindowInSeconds")
    elif seconds and not app.router.has_folds:
        message = f"{seconds} seconds, but the router has no folds: nothing is kept over a window"
        remedy = "set TumblingWindowInSeconds to 0, or write @router.fold(...)"
        yield Check("window", "warning", message, remedy)
    elif seconds:
        yield Check("window", "ok", f"{seconds} seconds")
    if lanes > 1 and app.router.has_folds:
        message = (
            f"{lanes} lanes a shard, but folds have one state a shard: order is kept within an "
            "item alone, and each lane sees a part of the window"
        )
        yield Check("parallelization", "warning", message, "set ParallelizationFactor to 1")
    elif lanes > 1:
        message = f"{lanes} lanes a shard: order is kept within an item, and not between items"
        yield Check("parallelization", "ok", message)


def check_timeout(mapping: Mapping[str, Any], app: App | None, seconds: float) -> Check:
    """Whether a whole batch can be handled before the function is ended.

    Args:
        mapping: As ``ListEventSourceMappings`` gives it.
        app: What the function runs, if it is known.
        seconds: The function's timeout.
    """
    name, size = "timeout", mapping.get("BatchSize", 100)
    margin = None if app is None else app.margin
    each = seconds * 1000 / size
    if margin is not None and margin >= seconds:
        message = f"{seconds:g} s, and deadline_margin={margin:g}: only one record an invocation"
        return Check(name, "warning", message, "make deadline_margin= less than the timeout")
    if each < _LEAST_MS and margin is None:
        message = (
            f"{seconds:g} s for up to {size:,} records, {each:.3g} ms each: when it is over, all "
            "of them come again"
        )
        remedy = "a longer Timeout, a smaller BatchSize, or LambdaHandler(deadline_margin=...)"
        return Check(name, "warning", message, remedy)
    return Check(name, "ok", f"{seconds:g} s for up to {size:,} records")


def check_readers(mappings: Sequence[Mapping[str, Any]]) -> Check:
    """How many read each shard, as far as mappings tell: AWS allows two at once."""
    count = sum(not str(one.get("State", "")).startswith("Disabl") for one in mappings)
    if count > 2:
        message = f"{count} event source mappings; a shard has room for 2, more are throttled"
        return Check("readers", "problem", message, "let functions share a mapping, or a fan-out")
    if count == 2:
        message = "2 event source mappings: no room for `ddbstream tail` or a poller"
        return Check("readers", "warning", message, "stop one of them before you add a reader")
    message = f"{plural(count, 'event source mapping')}; pollers are not seen"
    return Check("readers", "ok", message)
