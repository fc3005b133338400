"""``ddbstream kcl``: a router in a fleet, under the Kinesis Client Library's MultiLangDaemon."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click

from ddbstream import StreamRouter
from ddbstream.cli._aws import need
from ddbstream.cli._kcl_jars import cache, classpath, find_java
from ddbstream.cli._kcl_jars import fetch as fetch_jars
from ddbstream.cli._parameters import Loaded, StartingPoint
from ddbstream.cli._standard_streams import write_out

__all__ = ["kcl"]

_DAEMON = "software.amazon.kinesis.multilang.MultiLangDaemon"

# The daemon logs each line that a processor writes as an error, and prints it as well: once is
# enough. Everything goes to standard error, as it does for every other command.
_LOGGING = """\
<configuration>
  <appender name="stderr" class="ch.qos.logback.core.ConsoleAppender">
    <target>System.err</target>
    <encoder><pattern>%d{{ISO8601}} %-5level %logger{{0}} %msg%n</pattern></encoder>
  </appender>
  <logger name="software.amazon.kinesis.multilang.DrainChildSTDERRTask" level="OFF"/>
  <root level="{level}"><appender-ref ref="stderr"/></root>
</configuration>
"""


class _Named(NamedTuple):
    """An object of the user's, and what a processor's process finds it by."""

    name: str
    target: object


class _NamedRouter(Loaded):
    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> object:
        if not isinstance(value, str):
            return value
        target = super().convert(value, param, ctx)
        return _Named(value if ":" in value else ":".join(value.rsplit(".", 1)), target)


@click.group(short_help="Run a router in a fleet, on the Kinesis Client Library.")
def kcl() -> None:
    """A router in a fleet: the Kinesis Client Library over Kinesis Data Streams for DynamoDB.

    The table's changes go into a Kinesis stream ("ddbstream streams" shows it). Any number of
    machines run "ddbstream kcl run" under one application name, and share the stream's shards.
    """


_WHAT_TO_RUN = (
    click.argument("router", type=_NamedRouter("router")),
    click.option("--stream", required=True, metavar="NAME|ARN", help="The Kinesis stream."),
    click.option(
        "--application",
        required=True,
        metavar="NAME",
        help="The fleet's name; its leases are in a DynamoDB table of that name.",
    ),
    click.option(
        "--initial-position",
        type=StartingPoint(),
        default="TRIM_HORIZON",
        show_default=True,
        help="Where to begin in a shard that the fleet has not read yet.",
    ),
    click.option("--region", metavar="NAME", help="AWS region."),
    click.option("--kinesis-endpoint", metavar="URL", help="Another than the region's."),
    click.option("--dynamodb-endpoint", metavar="URL", help="For the leases; e.g. DynamoDB Local."),
    click.option("--no-metrics", is_flag=True, help="Publish no CloudWatch metrics of the KCL."),
    click.option("--worker-id", metavar="NAME", help="This worker's; unique in the fleet."),
    click.option(
        "--grace",
        type=click.FloatRange(min=0),
        default=20.0,
        show_default=True,
        help="Seconds to finish and checkpoint when it is stopped.",
    ),
    click.option(
        "--set",
        "more",
        multiple=True,
        metavar="KEY=VALUE",
        help="Any other property of the KCL; may be repeated.",
    ),
    click.option("--concurrency", type=click.IntRange(min=1), help="Items of a shard at once."),
    click.option(
        "--on-failure",
        type=click.Choice(["block", "skip", "stop"]),
        help="A record that a handler fails on: try it again and again, leave it out, end.",
    ),
    click.option(
        "--checkpoint-records",
        type=click.IntRange(min=1),
        help="Checkpoint after so many records; 1000 if not given.",
    ),
    click.option(
        "--checkpoint-seconds",
        type=click.FloatRange(min=0),
        help="... or after so many seconds; 10 if not given.",
    ),
)
"""The router, and everything that the properties say."""


def _what_to_run(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_WHAT_TO_RUN):
        command = option(command)
    return command


@kcl.command(short_help="Print what the KCL's daemon would be given.")
@_what_to_run
def properties(router: _Named, **options: Any) -> None:
    """Print the properties file that "ddbstream kcl run" gives to the MultiLangDaemon."""
    write_out(_properties(router, **options), newline=False)


@kcl.command(short_help="Fetch the jars of the KCL's daemon, as for an image.")
def fetch() -> None:
    """Fetch the MultiLangDaemon's jars, as for an image; print the folder."""
    write_out(str(fetch_jars(cache())))


@kcl.command(short_help="Run a router, or a RecordProcessor, in a fleet.")
@_what_to_run
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="MultiLangDaemons on this machine. Each serves any number of shards, so one is enough.",
)
@click.option("--java", metavar="PATH", help="The Java to use.")
@click.option(
    "--jars",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with the daemon's jars, in place of those that are fetched.",
)
@click.option("--quiet", is_flag=True, help="Log warnings and errors of the KCL only.")
def run(
    router: _Named,
    *,
    workers: int,
    java: str | None,
    jars: Path | None,
    quiet: bool,
    **options: Any,
) -> None:
    """Run ROUTER (module:name), a StreamRouter or a ddbstream.kcl.RecordProcessor, in a fleet.

    Starts the MultiLangDaemon, which starts a process for each shard that it leases. SIGTERM and
    Ctrl-C let the running handlers finish and checkpoint; a second one ends it at once.

    Exit codes: 0 stopped; 2 wrong usage; else the daemon's: a shard's process could not go on, and
    the shards are given to other workers. Start it again.
    """
    if workers > 1 and options.get("worker_id"):
        raise click.UsageError("--worker-id names one worker: leave it out, or --workers")
    text = _properties(router, **options)
    command = [find_java(java), "-cp", classpath(jars), _DAEMON]
    with TemporaryDirectory(prefix="ddbstream-kcl-") as scratch:
        folder = Path(scratch)
        (folder / "kcl.properties").write_text(text, encoding="ascii")
        (folder / "logback.xml").write_text(
            _LOGGING.format(level="WARN" if quiet else "INFO"), encoding="utf-8"
        )
        command += ["--properties-file", str(folder / "kcl.properties")]
        command += ["--log-configuration", str(folder / "logback.xml")]
        code = _supervise([command] * workers, options["grace"])
    sys.exit(code)


def _properties(router: _Named, *, more: Sequence[str], **options: Any) -> str:
    need("msgspec", "kcl", "the KCL's record processor")
    processor: Any = import_module("ddbstream.kcl").RecordProcessor

    target = router.target
    if not isinstance(target, (StreamRouter, processor)):
        raise click.UsageError(
            f"ROUTER is a {type(target).__name__}, no StreamRouter and no RecordProcessor"
        )
    if isinstance(target, processor) and any(
        options[name] is not None for name in _PROCESSOR_OPTIONS
    ):
        raise click.UsageError("a RecordProcessor has its options already")
    stream = options["stream"]
    found = {
        "executableName": _executable(router.name, options),
        "streamArn" if stream.startswith("arn:") else "streamName": stream,
        "applicationName": options["application"],
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        "processingLanguage": f"python/{sys.version_info[0]}.{sys.version_info[1]}",
        **_position(options["initial_position"]),
        "regionName": options["region"],
        "kinesisEndpoint": options["kinesis_endpoint"],
        "dynamoDBEndpoint": options["dynamodb_endpoint"],
        "metricsLevel": "NONE" if options["no_metrics"] else None,
        "workerId": options["worker_id"],
        # The KCL's default is 0: it would leave without a last checkpoint.
        "shutdownGraceMillis": str(int(options["grace"] * 1000)),
        # An idle shard's last records are checkpointed in time as well.
        "callProcessRecordsEvenForEmptyRecordList": "true",
        **dict(_assignment(text) for text in more),
    }
    return "".join(
        f"{name} = {_escaped(value)}\n" for name, value in found.items() if value is not None
    )


_PROCESSOR_OPTIONS = ("concurrency", "on_failure", "checkpoint_records", "checkpoint_seconds")


def _executable(name: str, options: dict[str, Any]) -> str:
    """The command that the daemon starts for each shard; it splits it at spaces."""
    words = [sys.executable, "-m", "ddbstream.kcl", name]
    for option in _PROCESSOR_OPTIONS:
        if options[option] is not None:
            words += [f"--{option.replace('_', '-')}", str(options[option])]
    if options["stream"].startswith("arn:"):
        words += ["--stream-arn", options["stream"]]
    if bad := next((word for word in words if re.search(r"\s", word)), None):
        raise click.UsageError(f"the MultiLangDaemon cannot start what has a space in it: {bad!r}")
    return " ".join(words)


def _position(start: str | datetime) -> dict[str, str]:
    if isinstance(start, datetime):
        return {"initialPositionInStreamExtended": str(int(start.timestamp()))}
    return {"initialPositionInStream": start}


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not re.fullmatch(r"\s*[A-Za-z][\w.]*\s*", name):
        raise click.UsageError(f"--set {text!r} is not KEY=VALUE")
    return name.strip(), value.strip()


def _escaped(value: str) -> str:
    """A value as java.util.Properties reads it: Latin-1, with escapes."""
    escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
    return "".join(
        char if " " <= char <= "~" else "".join(f"\\u{unit:04x}" for unit in _utf16(char))
        for char in escaped
    )


def _utf16(char: str) -> list[int]:
    data = char.encode("utf-16-be", "surrogatepass")
    return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]


_SLACK = 15.0  # seconds that Java may take to end, beyond the grace of its processors


def _supervise(commands: list[list[str]], grace: float) -> int:
    """Run the daemons until one ends, or all are told to; the exit code."""
    # A session of their own: a terminal's Ctrl-C would reach them, their processors and us at once.
    daemons = [
        subprocess.Popen(command, start_new_session=True)  # noqa: S603 - Java, without a shell
        for command in commands
    ]
    told: list[int] = []

    def pass_on(_number: int, _frame: object) -> None:
        told.append(_number)
        for daemon in daemons:
            _tell(daemon, signal.SIGTERM if len(told) == 1 else signal.SIGKILL)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while all(daemon.poll() is None for daemon in daemons):
            time.sleep(0.1)
        codes = [daemon.returncode for daemon in daemons if daemon.returncode is not None]
        if not told:
            for daemon in daemons:
                _tell(daemon, signal.SIGTERM)
        until = time.monotonic() + grace + _SLACK
        while any(daemon.poll() is None for daemon in daemons) and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        for daemon in daemons:
            _tell(daemon, signal.SIGKILL)
            daemon.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        return 0
    return next((code if code > 0 else 128 - code for code in codes if code), 0)


def _tell(daemon: subprocess.Popen[bytes], number: int) -> None:
    if daemon.poll() is None:
        os.kill(daemon.pid, number)
