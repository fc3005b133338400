"""Eight troubles of a stream, each given to bloop 3.1.1 and to ddbstream.

``python bench/poller_against_bloop.py``.

Both read DynamoDB Local through a proxy that breaks calls. Needs ``pip install bloop``, Java and
npm. bloop is the only other Python library that reads DynamoDB Streams; in the first scenario
nothing goes wrong.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import boto3

from ddbstream.poller import MemoryCheckpoints, Settings, StreamPoller
from tests.support.dynamodb_local import DynamoDBLocal, Table, fetch
from tests.support.fault_proxy import FaultProxy

warnings.simplefilter("ignore")
logging.disable()
ACCOUNT = {
    "region_name": "us-east-1",
    "aws_access_key_id": "local",
    "aws_secret_access_key": "local",
}
# For the poller's own client, which has none of its makers' keys; DynamoDB Local takes any.
os.environ.update({name.upper(): value for name, value in ACCOUNT.items() if "key" in name})


class Bloop:
    """bloop's stream, driven as its documentation says: next() again and again."""

    name = "bloop"

    def __init__(self, proxy: FaultProxy, table: Table) -> None:
        from bloop.session import SessionWrapper
        from bloop.stream.coordinator import Coordinator

        clients = {
            service: boto3.client(service, endpoint_url=proxy.endpoint_url, **ACCOUNT)
            for service in ("dynamodb", "dynamodbstreams")
        }
        session = SessionWrapper(clients["dynamodb"], clients["dynamodbstreams"])
        self._make = lambda: Coordinator(session=session, stream_arn=table.stream_arn)
        self._stream = self._make()
        self.got: list[int] = []

    def start(self, position: str) -> None:
        self._stream.move_to(position)

    def read(self, seconds: float, enough: int) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and len(self.got) < enough:
            record = next(self._stream)
            if record is None:
                time.sleep(0.02)
            else:
                self.got.append(int(record["new"]["n"]["N"]))

    def restart(self) -> None:
        token = self._stream.token
        self._stream = self._make()
        self._stream.move_to(token)

    def stop(self) -> None:
        """It has no threads."""


class DDBStream:
    """ddbstream's poller in a thread."""

    name = "ddbstream"

    def __init__(self, proxy: FaultProxy, table: Table) -> None:
        self.got: list[int] = []
        self._store = MemoryCheckpoints()
        self._options: dict[str, Any] = {
            "checkpoints": self._store,
            "endpoint_url": proxy.endpoint_url,
            "region_name": "us-east-1",
            "on_gap": "continue",
            "settings": Settings(idle=0.02, idle_max=0.1, discovery=5.0),
        }
        self._arn = table.stream_arn
        self._error: BaseException | None = None
        self._start = "TRIM_HORIZON"

    def dispatch(self, payload: Any, /, **_: Any) -> Any:
        self.got += [int(record["dynamodb"]["NewImage"]["n"]["N"]) for record in payload]
        return SimpleNamespace(processed=len(payload), failures=(), checkpoint=None)

    def start(self, position: str) -> None:
        self._start = position.upper()
        self._run()

    def _run(self) -> None:
        self._poller = StreamPoller(self._arn, self, start=self._start, **self._options)
        self._thread = threading.Thread(target=self._guard, daemon=True)
        self._thread.start()
        until = time.monotonic() + 20
        while not self._poller.healthy() and self._error is None and time.monotonic() < until:
            time.sleep(0.01)

    def _guard(self) -> None:
        try:
            self._poller.run()
        except BaseException as error:  # noqa: BLE001 - told below
            self._error = error

    def read(self, seconds: float, enough: int) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until and len(self.got) < enough:
            if self._error is not None:
                raise self._error
            time.sleep(0.02)

    def restart(self) -> None:
        self.stop()
        self._run()

    def stop(self) -> None:
        self._poller.stop()
        self._thread.join(20)


@dataclass
class World:
    server: DynamoDBLocal
    proxy: FaultProxy
    table: Table
    reader: Any
    written: int = 0

    def write(self, count: int) -> None:
        for _ in range(count):
            item = {"PK": "a", "SK": "b", "n": None}
            wire: dict[str, Any] = {k: {"S": v} for k, v in item.items() if v}
            self.table.put({**wire, "n": {"N": str(self.written)}})
            self.written += 1

    def trouble(self, operation: str, fault: str, times: int) -> None:
        self.proxy.plan += [(operation, fault)] * times


def nothing(world: World) -> list[int]:
    world.write(3)
    world.server.control.rollover()
    world.write(2)
    world.reader.start("trim_horizon")
    return list(range(5))


def garbled(world: World) -> list[int]:
    world.write(10)
    world.trouble("GetRecords", "html", 1)
    world.reader.start("trim_horizon")
    return list(range(10))


def truncated(world: World) -> list[int]:
    world.write(10)
    world.trouble("GetRecords", "truncate", 1)
    world.reader.start("trim_horizon")
    return list(range(10))


def late_child(world: World) -> list[int]:
    world.reader.start("trim_horizon")
    world.reader.read(0.5, 1)
    world.trouble("DescribeStream", "hide_children", 1)
    world.server.control.rollover()
    world.write(5)
    return list(range(5))


def throttled(world: World) -> list[int]:
    world.write(5)
    world.trouble("GetRecords", "throttle", 6)
    world.reader.start("trim_horizon")
    return list(range(5))


def resets(world: World) -> list[int]:
    world.write(5)
    world.trouble("GetRecords", "reset_before", 5)
    world.reader.start("trim_horizon")
    return list(range(5))


def idle_hour(world: World) -> list[int]:
    world.reader.start("latest")
    world.reader.read(0.5, 1)
    world.server.control.dilate(1)
    world.write(5)
    return list(range(5))


def old_position(world: World) -> list[int]:
    world.write(2)
    world.reader.start("trim_horizon")
    world.reader.read(10, 2)
    world.reader.stop()
    world.write(3)
    world.server.control.dilate(30)
    world.write(1)  # the only one that is left
    if world.reader.name == "bloop":
        world.reader.restart()
    else:
        world.reader._run()
    return [0, 1, 5]


SCENARIOS: dict[str, Callable[[World], list[int]]] = {
    "a rollover, nothing wrong": nothing,
    "one answer is a proxy's page": garbled,
    "one answer is cut off": truncated,
    "a child is listed one call late": late_child,
    "six calls are throttled": throttled,
    "five connections are reset": resets,
    "LATEST, and an idle hour": idle_hour,
    "a position older than a day": old_position,
}


def run(server: DynamoDBLocal, kind: type, scenario: Callable[[World], list[int]]) -> str:
    with server.table() as table, FaultProxy(server.port) as proxy:
        reader = kind(proxy, table)
        world = World(server, proxy, table, reader)
        said = ""
        wanted: list[int] = []
        try:
            wanted = scenario(world)
            reader.read(25 if kind is DDBStream else 5, len(wanted))
        except Exception as error:  # noqa: BLE001 - the outcome
            said = f"raises {type(error).__name__}: {error}"[:60]
        finally:
            try:
                reader.stop()
            except Exception as error:  # noqa: BLE001 - the outcome
                said = said or str(error)
        total = len(wanted) or world.written
        delivered = len(set(reader.got) & set(wanted or range(world.written)))
        return f"{delivered} of {total}{'; ' + said if said else ''}"


def main() -> int:
    try:
        import bloop  # noqa: F401
    except ImportError:
        print("bloop is not installed: pip install bloop")
        return 2
    survived = 0
    with DynamoDBLocal(fetch()) as server:
        for name, scenario in SCENARIOS.items():
            print(name)
            for kind in (Bloop, DDBStream):
                outcome = run(server, kind, scenario)
                print(f"  {kind.name:10} {outcome}", flush=True)
                delivered, _, total = outcome.partition(" of ")
                survived += kind is DDBStream and delivered == total
    print(f"ddbstream survives {survived} of {len(SCENARIOS)}")
    return 0 if survived == len(SCENARIOS) else 1


if __name__ == "__main__":
    raise SystemExit(main())
