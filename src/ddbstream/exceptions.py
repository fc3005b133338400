"""Every error ddbstream raises on purpose.

The tree::

    DDBStreamError
    ├── PayloadError (ValueError)            nothing here looks like stream records
    ├── RecordError (ValueError)             one record is malformed
    │   └── MissingImageError (LookupError)  the stream's view type does not carry that image
    ├── DecodeError (ValueError)             an attribute value or item does not fit
    │   └── KeyTemplateError                 a key does not match its ``@keys`` template
    ├── EncodeError (ValueError)             a Python value cannot be written to DynamoDB
    ├── ModelDefinitionError (TypeError)     a model class that can never work
    ├── DiffError (ValueError)               a diff that does not apply, or cannot be expressed
    ├── RouterError
    │   ├── RouteDefinitionError (TypeError)     a route that can never work
    │   ├── RouterArgumentError (ValueError)     a call was given what cannot work
    │   ├── RouterFrozenError (RuntimeError)     a route added after the first dispatch
    │   └── UnmatchedRecordError (LookupError)   no route wanted it, and unmatched="raise"
    ├── BatchError (RuntimeError)            a batch whose outcome cannot be reported to its host
    ├── ExportError (RuntimeError)           an export's file is missing, damaged or incomplete
    └── PollerError (RuntimeError)
        ├── PollerArgumentError (ValueError)     a poller that was told what cannot work
        ├── CheckpointError                  a checkpoint store failed, or holds what it should not
        │   └── FencedError                  another poller has taken over this checkpoint store
        ├── StreamNotFoundError (LookupError)    no such table, stream, or no stream on the table
        └── RecordsTrimmedError              records left the stream before they were read

No message and no attribute of these holds a stored value: they end up in logs. The text of each is
one line without control characters, whatever the names in it are. `printable` makes such text
of anything, for log lines of your own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

__all__ = [
    "BatchError",
    "CheckpointError",
    "DDBStreamError",
    "DecodeError",
    "DiffError",
    "EncodeError",
    "ExportError",
    "FencedError",
    "KeyTemplateError",
    "MissingImageError",
    "ModelDefinitionError",
    "PayloadError",
    "PollerArgumentError",
    "PollerError",
    "RecordError",
    "RecordsTrimmedError",
    "RouteDefinitionError",
    "RouterArgumentError",
    "RouterError",
    "RouterFrozenError",
    "StreamNotFoundError",
    "UnmatchedRecordError",
    "printable",
]


def printable(text: str, *, lines: bool = False) -> str:
    r"""Text as a person or a log may read it: the one place that escapes what acts on the reader.

    Names and keys come from whoever wrote to the table. ``"\x1b]0;"`` sets a terminal's title, a
    newline forges a line of a log, U+202E turns a line around, and a lone surrogate cannot be
    written at all. Each such character prints as JSON escapes it: ``\u001b``.

    Rule: what programs get (values, ``raw``, ``keys``, JSON) is never escaped; what is meant to be
    read (the text of errors, paths, diffs, log lines, metrics' labels, all that the command line
    says) always is.

    Unprintable is what Python's ``str.isprintable`` says: control characters, C1 too, those that
    turn the direction, separators other than the space, lone surrogates, code points that mean
    nothing.

    Args:
        text: Anything.
        lines: Whether it is meant to have several lines; newlines are then kept.
    """
    if text.isprintable():
        return text
    return "".join(
        [one if one.isprintable() or (lines and one == "\n") else _escaped(one) for one in text]
    )


def _escaped(character: str) -> str:
    r"""A character as JSON escapes it: ``\u001b``, or two such above U+FFFF."""
    units = character.encode("utf-16-be", "surrogatepass").hex(" ", 2)
    return "".join("\\u" + unit for unit in units.split())


class DDBStreamError(Exception):
    """Base of every error ddbstream raises on purpose.

    Args:
        problem: What is wrong, in words without any stored value.
        path: Where, as a DynamoDB document path: ``dims.w``, ``NewImage.tags[2]``.
        expected: What would have been right: a type tag (``"N"``) or a few words.
        found: What was there: a type tag or a Python type name, never the value.
        model: The model class that was being read or written.
        event_id: ``eventID`` of the stream record concerned.
        sequence_number: ``SequenceNumber`` of the stream record concerned.
        errors: Every single fault, where one error stands for several and tells the first.
    """

    def __init__(
        self,
        problem: str = "",
        *,
        path: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        model: Any = None,
        event_id: str | None = None,
        sequence_number: str | None = None,
        errors: Iterable[DDBStreamError] = (),
    ) -> None:
        problem = printable(problem)
        super().__init__(problem)
        self.problem = problem
        self.path = path
        self.expected = expected
        self.found = found
        self.model = model
        self.event_id = event_id
        self.sequence_number = sequence_number
        self.errors = tuple(errors)

    def located(
        self,
        prefix: str | None = None,
        *,
        model: Any = None,
        event_id: str | None = None,
        sequence_number: str | None = None,
    ) -> DDBStreamError:
        """Add what an outer layer knows, and return the error itself, to be raised.

        Args:
            prefix: Put in front of ``path``; a path that starts with ``[`` joins without a dot.
            model: Set unless an inner layer has set it.
            event_id: As ``model``.
            sequence_number: As ``model``.
        """
        if prefix:
            if not self.path:
                self.path = prefix
            elif self.path.startswith("["):
                self.path = prefix + self.path
            else:
                self.path = f"{prefix}.{self.path}"
        self.model = self.model if self.model is not None else model
        self.event_id = self.event_id or event_id
        self.sequence_number = self.sequence_number or sequence_number
        for error in self.errors:
            error.located(prefix, model=model, event_id=event_id, sequence_number=sequence_number)
        return self

    def __str__(self) -> str:
        text = self.problem
        if not text and self.expected:
            text = f"expected {self.expected}, got {self.found or 'something else'}"
        if self.path:
            text += f" at {self.path}"
        if len(self.errors) > 1:
            text += f", and {len(self.errors) - 1} more"
        about = [
            f"{word} {value}"
            for word, value in (
                ("model", getattr(self.model, "__qualname__", self.model)),
                ("event id", self.event_id),
                ("sequence number", self.sequence_number),
            )
            if value
        ]
        return printable(f"{text} ({', '.join(about)})" if about else text)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Pickle finds a class by its name; one that is not to be found so leaves its name.
        model = self.model
        if isinstance(model, type) and not _importable(model):
            model = model.__qualname__
        return (_rebuild, (type(self), {**self.__dict__, "model": model}))


def _importable(cls: type) -> bool:
    found: Any = sys.modules.get(cls.__module__)
    for name in cls.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is cls


def _rebuild(cls: type[DDBStreamError], state: dict[str, Any]) -> DDBStreamError:
    error = cls(state["problem"])
    error.__dict__.update(state)
    return error


class PayloadError(DDBStreamError, ValueError):
    """Nothing in the payload looks like stream records; the message says what it looks like."""


class RecordError(DDBStreamError, ValueError):
    """One record is malformed: no ``dynamodb``, an unknown event, an image that is no map."""


class MissingImageError(RecordError, LookupError):
    """The record does not carry that image, because its stream's ``StreamViewType`` does not.

    "Not captured" is neither an empty item nor ``None``.
    """


class DecodeError(DDBStreamError, ValueError):
    """An attribute value, or an item as a model, could not be read."""


class KeyTemplateError(DecodeError):
    """A key attribute does not match its ``@keys`` template."""


class EncodeError(DDBStreamError, ValueError):
    """A Python value cannot be written as a DynamoDB attribute value."""


class ModelDefinitionError(DDBStreamError, TypeError):
    """A class that can never work as a model: raised when it is bound, not for each record."""


class DiffError(DDBStreamError, ValueError):
    """A diff that does not apply to what it was given, or that has no such form."""


class RouterError(DDBStreamError):
    """Base of the router's errors."""


class RouteDefinitionError(RouterError, TypeError):
    """A route that can never work: raised where it is declared."""


class RouterArgumentError(RouterError, ValueError):
    """A router or a Lambda handler was given what cannot work; the message says what to give."""


class RouterFrozenError(RouterError, RuntimeError):
    """A change to a router that has already dispatched a record."""


class UnmatchedRecordError(RouterError, LookupError):
    """No route wanted the record, and the router was made with ``unmatched="raise"``."""


class BatchError(DDBStreamError, RuntimeError):
    """A batch's outcome cannot be told to its host, so the whole batch has to come again."""


class ExportError(DDBStreamError, RuntimeError):
    """A file of a table's S3 export is missing, damaged, or not what the manifest says."""


class PollerError(DDBStreamError, RuntimeError):
    """Base of the poller's errors."""


class PollerArgumentError(PollerError, ValueError):
    """A poller was given what cannot work; the message says what to give instead."""


class CheckpointError(PollerError):
    """A checkpoint store failed, or holds what it should not."""


class FencedError(CheckpointError):
    """Another poller has taken over this checkpoint store; this one may not save any more."""


class StreamNotFoundError(PollerError, LookupError):
    """There is no such table or stream, or the table has no stream."""


class RecordsTrimmedError(PollerError):
    """Records left the stream (24 hours) before they were read, and the policy is to stop."""
