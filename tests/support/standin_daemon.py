"""A stand-in for the MultiLangDaemon: it speaks its protocol with one processor, over pipes.

What the daemon does that matters, from the KCL's source: it waits for an answer before it asks
again; it skips lines that are no message; a processor that ends while an answer is due is handed
over, from the last checkpoint on.
"""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.kinesis_local import change


class HandedOverError(Exception):
    """The process has ended where an answer was due."""


def record(number: int, *, data: bytes | None = None, item: str | None = None) -> dict[str, Any]:
    """A record as the daemon writes it: the change of an item with that number."""
    keys = {"PK": {"S": item or f"item-{number % 3}"}}
    new = {**keys, "n": {"N": str(number)}}
    body = change(keys, new=new, created=1_000_000 + number) if data is None else data
    return {
        "action": "record",
        "data": base64.b64encode(body).decode(),
        "partitionKey": "p",
        "sequenceNumber": str(number),
        "subSequenceNumber": 0,
        "approximateArrivalTimestamp": 1_000_000,
    }


@dataclass
class StandInDaemon:
    """One processor's process, and what it has checkpointed."""

    command: Sequence[str]
    folder: Path
    environment: dict[str, str]
    stored: list[Any] = field(default_factory=list)
    answers: list[str | None] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        with (self.folder / "stderr.txt").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=self.folder,
                env=self.environment,
            )

    def ask(self, action: str, **content: Any) -> None:
        """Ask, store what it checkpoints, and return at its answer.

        Raises:
            HandedOverError: It ends without one.
        """
        self._write({"action": action, **content})
        while (message := self._message()) is not None:
            if message["action"] == "checkpoint":
                self._checkpoint(message)
            else:
                assert message == {"action": "status", "responseFor": action}
                return
        raise HandedOverError(self.process.wait(30))

    def initialize(self) -> None:
        self.ask(
            "initialize", shardId="shard-0", sequenceNumber="TRIM_HORIZON", subSequenceNumber=0
        )

    def deliver(self, *records: dict[str, Any]) -> None:
        self.ask("processRecords", records=records, millisBehindLatest=0)

    def close(self) -> int:
        """Nothing more will be asked; the exit code."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.process.stdin.close()
            self.process.stdout.read()
            self.process.stdout.close()
        return self.process.wait(30)

    def said(self) -> str:
        """Its standard error."""
        return (self.folder / "stderr.txt").read_text()

    def _checkpoint(self, message: dict[str, Any]) -> None:
        number = message["sequenceNumber"]
        error = self.answers.pop(0) if self.answers else None
        if error is None:
            self.stored.append("END" if number is None else int(number))
        self._write(
            {
                "action": "checkpoint",
                "sequenceNumber": number,
                "subSequenceNumber": message["subSequenceNumber"],
                "error": error,
            }
        )

    def _write(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(message).encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise HandedOverError(self.process.wait(30)) from None

    def _message(self) -> dict[str, Any] | None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            text = line.decode().strip()
            message: Any = None
            with contextlib.suppress(ValueError):
                message = json.loads(text)
            if isinstance(message, dict) and message.get("action") in ("checkpoint", "status"):
                return message
            if text:
                self.skipped.append(text)
        return None
