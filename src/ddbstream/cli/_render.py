"""How a change looks: coloured for people, one line of JSON for programs.

Nothing here reads a stream; every command that shows changes shows them through `Output`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group, RenderableType
from rich.highlighter import JSONHighlighter, ReprHighlighter
from rich.text import Text

from ddbstream import Added, Insert, Modify, Remove, Removed, Replaced, SetChanged
from ddbstream.cli._json import dumps
from ddbstream.cli._standard_streams import (
    Unwritten,
    console,
    drop_output,
    plural,
    prints_apart,
    write_out,
)
from ddbstream.exceptions import MissingImageError, printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ddbstream import Change, Diff, StreamRecord

__all__ = ["Output", "change_as_json", "change_as_lines", "change_as_text", "identity", "styled"]

_LONGEST_LINE = 76  # of a terminal of 80 columns, indented
_COLOURS = {"INSERT": "green", "MODIFY": "yellow", "REMOVE": "red"}


class Output:
    """Where a command shows changes and says what it does.

    On a terminal both go to it. In a pipe, or when JSON is asked for, standard output is NDJSON and
    nothing else: notes go to standard error, and so does what the user's code prints. Lines are
    not broken, so that an ARN can be copied.

    Args:
        as_json: ``True`` for NDJSON in any case.

    Attributes:
        closed: Whether nothing more can be shown: time to end. Where who was reading has gone, as
            ``head`` does, that is no error; otherwise the command ends with one.
    """

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json or not sys.stdout.isatty()
        self.closed = False
        self._fault: Unwritten | None = None
        # A write may fail inside a handler, whose errors a router or a poller may pass over. So it
        # is raised when the command has ended.
        context = click.get_current_context(silent=True)
        if context is not None:
            context.call_on_close(self._raise_fault)
            if self.as_json:
                context.with_resource(prints_apart())
        self._console = console(stderr=self.as_json)

    def change(self, record: Change[Any], entity: str | None = None) -> None:
        """Show one captured change at once."""
        if self.as_json:
            self.line(change_as_json(record, entity))
        else:
            self._print(change_as_text(record, entity))

    def show(self, what: RenderableType) -> None:
        """Show something made for people."""
        self._print(what)

    def item(self, item: object) -> None:
        """Show one item."""
        if self.as_json:
            self.line(item)
        else:
            self._print(_typed(item))

    def stream(self, stream: dict[str, Any]) -> None:
        """Show one stream of a table, with its shards if they are listed."""
        if self.as_json:
            self.line(stream)
        else:
            self._print(_stream_lines(stream))

    def outcome(
        self, name: str, seconds: float, failed: str | None, *, whose: str = "", **more: object
    ) -> None:
        """Show how a handler ended: of which item if that is not clear, and with what error."""
        if self.as_json:
            self.line({"handler": name, "seconds": seconds, "error": failed, **more})
            return
        sign = ("  ✓ ", "green") if failed is None else ("  ✗ ", "bold red")
        of = f"  {whose}" if whose else ""
        took = (f"{of}  {seconds * 1000:.1f} ms  {failed or ''}", "dim")
        self.note(styled(sign, name, took))

    def line(self, value: object) -> None:
        """One line of JSON on standard output."""
        if self.closed:
            return
        try:
            write_out(dumps(value))
        except BrokenPipeError:
            self.closed = True
        except Unwritten as fault:
            self.closed, self._fault = True, fault

    def note(self, text: str | Text = "", style: str = "") -> None:
        """Something for people, that is no change."""
        self._print(printable(text, lines=True) if isinstance(text, str) else text, style)

    def _print(self, what: RenderableType, style: str = "") -> None:
        if self._console.stderr:
            with suppress(OSError):  # nobody can be told; the exit code stays
                self._console.print(what, style=style, markup=False, soft_wrap=True)
            return
        if self.closed:
            return
        try:
            self._console.print(what, style=style, markup=False, soft_wrap=True)
        except OSError as error:
            drop_output()
            self.closed, self._fault = True, Unwritten(error)

    def _raise_fault(self) -> None:
        if self._fault is not None:
            raise self._fault


def styled(*parts: str | Text | tuple[str, str]) -> Text:
    """Text of parts, some with a style; each in one line, whatever it says."""
    return Text.assemble(
        *(
            (printable(part[0]), part[1]) if isinstance(part, tuple)
            else printable(part) if isinstance(part, str)
            else part
            for part in parts
        )
    )  # fmt: skip


def change_as_json(record: Change[Any], entity: str | None = None) -> dict[str, Any]:
    """A change as what `ddbstream.cli._json.dumps` writes.

    It has ``event``, ``entity``, ``keys``, ``old``, ``new``, ``diff``, ``event_id``,
    ``sequence_number`` and ``at``; ``old``, ``new`` and ``diff`` only where the event has them and
    the stream's view type carries them.
    """
    line: dict[str, Any] = {"event": record.event_name, "entity": entity, "keys": record.keys}
    line |= dict(_images(record))
    if (diff := _diff(record)) is not None:
        line["diff"] = [_change_of(change) for change in diff]
    at = record.approximate_creation_datetime
    return line | {
        "event_id": record.event_id,
        "sequence_number": record.sequence_number,
        "at": at and at.isoformat(),
    }


def change_as_text(record: Change[Any], entity: str | None = None) -> RenderableType:
    """A change as a coloured heading, the typed item, and what changed in it."""
    at = record.approximate_creation_datetime
    heading = styled(
        (f"{at.astimezone():%H:%M:%S} " if at else "", "dim"),
        (record.event_name, f"bold {_COLOURS.get(record.event_name, '')}"),
        (f" {entity}" if entity else "", "bold"),
        (f"  {identity(record)}", "dim"),
    )
    images = dict(_images(record))
    item = images.get("new", images.get("old"))
    body: list[Text] = [] if item is None else [_typed(item)]
    if isinstance(record, Modify) and (diff := _diff(record)) is not None:
        body += _differences(map(_change_of, diff), repr)
    return Group(heading, *map(_indented, body), "")


def change_as_lines(
    record: Change[Any], line: Mapping[str, Any], *, images: bool = False
) -> RenderableType:
    """A change as a coloured heading with its moment, what changed, and the item if asked for.

    Args:
        record: The change.
        line: What is shown of it: `change_as_json` of it, or a part of that.
        images: Whether the item is shown.
    """
    at = record.approximate_creation_datetime
    keys = "  ".join(f"{name}={value}" for name, value in line["keys"].items())
    heading = styled(
        (f"{at.astimezone():%Y-%m-%d %H:%M:%S %Z} " if at else "", "dim"),
        (record.event_name, f"bold {_COLOURS.get(record.event_name, '')}"),
        (f" {line['entity']}" if line.get("entity") else "", "bold"),
        (f"  {line['table']}" if line.get("table") else "", "cyan"),
        (f"  {keys}", "dim"),
    )
    body: list[Text] = []
    if line.get("note"):
        body.append(styled((f"! {line['note']}", "yellow")))
    changes = line.get("diff")
    if changes is not None:
        body += _differences(changes, _value)
    for name in ("old", "new"):
        if images and name in line:
            body.append(styled((f"{name} ", "dim"), _typed(line[name])))
    return Group(heading, *map(_indented, body), "")


def _indented(text: Text) -> Text:
    """Each line a little to the right; rich's own padding would cut them off at the edge."""
    return Text("\n").join([Text("  ").append_text(line) for line in text.split("\n")])


def _differences(
    changes: Iterable[Mapping[str, Any]], shown: Callable[[object], str]
) -> list[Text]:
    """A diff as `change_as_json` has it, a line for each change."""
    lines = [_difference(change, shown) for change in changes]
    return lines or [Text("no attribute differs", "dim")]


def _difference(change: Mapping[str, Any], shown: Callable[[object], str]) -> Text:
    path = change["path"]
    if "added" in change:
        line = styled(("~ ", "yellow"), path)
        for sign, name, colour in (("+", "added", "green"), ("-", "removed", "red")):
            if change[name]:
                members = change[name]
                text = members if isinstance(members, str) else _sorted(members)
                line.append(f"  {sign} {text}", colour)
        return line
    if "old" not in change:
        return styled(("+ ", "green"), path, "  ", (shown(change["new"]), "green"))
    if "new" not in change:
        return styled(("- ", "red"), path, "  ", (shown(change["old"]), "red"))
    old, new = (shown(change["old"]), "red"), (shown(change["new"]), "green")
    return styled(("~ ", "yellow"), path, "  ", old, (" → ", "dim"), new)


def _value(value: object) -> str:
    """A value as JSON where it is one, and as Python writes it where it is of a class."""
    return (
        dumps(value)
        if isinstance(value, str | int | Decimal | Mapping | list | None)
        else repr(value)
    )


def identity(record: StreamRecord[Any]) -> str:
    """The item that a record is about, by its keys: ``PK=Product#42  SK=User#Product``."""
    return printable("  ".join(f"{name}={value}" for name, value in record.keys.items()))


def _stream_lines(stream: dict[str, Any]) -> Group:
    """A stream and its shards, each in a line of its own that nothing cuts off.

    rich's own tree cuts lines off at the terminal's edge, where the end of a shard's id may be.
    """
    shards = stream["shards"]
    count = shards if isinstance(shards, int) else len(shards)
    colour = "green" if stream["status"] == "ENABLED" else "yellow"
    lines = [
        styled(
            (stream["table"], "bold"),
            (f"  {stream['status']}", colour),
            f"  {stream['view_type']}  {plural(count, 'shard')}, {stream['open_shards']} open",
        ),
        styled((stream["stream_arn"], "dim")),
    ]
    if isinstance(shards, list):
        lines += _branches(shards)
    return Group(*lines)


def _branches(shards: list[dict[str, Any]]) -> Iterator[Text]:
    """The tree of shards; one whose parent is no longer listed is a root."""
    known = {shard["shard_id"] for shard in shards}
    children: dict[str | None, list[dict[str, Any]]] = {}
    for shard in sorted(shards, key=itemgetter("shard_id")):
        parent = shard["parent"] if shard["parent"] in known else None
        children.setdefault(parent, []).append(shard)
    left = [(shard, "", shard is children[None][-1]) for shard in reversed(children.get(None, []))]
    while left:
        shard, indent, is_last = left.pop()
        state = "open" if shard["to"] is None else "closed"
        seconds = shard.get("lag_seconds")
        lag = "" if seconds is None else f", oldest record {_age(seconds)}"
        yield styled(
            f"{indent}{'└── ' if is_last else '├── '}{shard['shard_id']}",
            (f"  {state}", "green" if state == "open" else "dim"),
            (lag, "dim"),
        )
        inner = children.get(shard["shard_id"], [])
        below = indent + ("    " if is_last else "│   ")
        left += [(child, below, child is inner[-1]) for child in reversed(inner)]


def _age(seconds: float) -> str:
    """As ``3 h 5 min old``: two units at most, as nobody needs more."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min old"
    return f"{minutes} min {rest} s old" if minutes else f"{rest} s old"


def _images(record: Change[Any]) -> Iterator[tuple[str, Any]]:
    if not isinstance(record, Insert):
        with suppress(MissingImageError):
            yield "old", record.old
    if not isinstance(record, Remove):
        with suppress(MissingImageError):
            yield "new", record.new


def _typed(item: object) -> Text:
    """An object of a class as Python writes it; an item without a class as JSON."""
    if isinstance(item, Mapping):
        text = dumps(item)
        if len(text) > _LONGEST_LINE:
            text = dumps(item, indented=True)
        return JSONHighlighter()(Text(text))
    return ReprHighlighter()(Text(printable(repr(item))))


def _diff(record: Change[Any]) -> Diff | None:
    try:
        return record.diff
    except MissingImageError:
        return None


def _change_of(change: Added | Removed | Replaced | SetChanged) -> dict[str, Any]:
    path = str(change.path)
    match change:
        case Added():
            return {"path": path, "new": change.value}
        case Removed():
            return {"path": path, "old": change.value}
        case Replaced():
            return {"path": path, "old": change.old, "new": change.new}
        case SetChanged():
            return {"path": path, "added": change.added, "removed": change.removed}


def _sorted(values: Any) -> str:
    return printable(", ".join(sorted(map(repr, values))))
