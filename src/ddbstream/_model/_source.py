"""Writing, compiling and showing generated source."""

from __future__ import annotations

import linecache
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from .._attribute_value import Unreadable

_serial = count(1)


class Emitter:
    """Collects the lines of one generated function, its helper functions, and the objects they name.

    ``single`` defers the check that an attribute value has one tag only: a whole block is checked by one sum, since
    each member is known to have at least the tag that was read.
    """

    def __init__(self) -> None:
        self.functions: list[str] = []
        self.names: dict[str, Any] = {"Unreadable": Unreadable}
        self.emitted: dict[int, str] = {}
        self._lines: list[str] = []
        self._indent = 1
        self._pending: list[list[str]] = [[]]
        self._count = count(1)

    def line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    def var(self, hint: str = "v") -> str:
        return f"{hint}{next(self._count)}"

    def const(self, value: Any, hint: str) -> str:
        """Name an object in the generated code's namespace, the same one once."""
        hint = "".join(c if c.isalnum() and c.isascii() else "_" for c in hint)
        name, serial = f"_{hint}", 1
        while name in self.names and self.names[name] is not value:
            serial += 1
            name = f"_{hint}_{serial}"
        self.names[name] = value
        return name

    def refuse_if(self, condition: str) -> None:
        """Leave what the fast path does not take to the slow reader."""
        self.line(f"if {condition}: raise Unreadable")

    def single(self, source: str) -> None:
        self._pending[-1].append(source)

    def _flush(self) -> None:
        sources = self._pending[-1]
        for start in range(0, len(sources), 8):
            some = sources[start : start + 8]
            total = " + ".join(f"len({source})" for source in some)
            self.refuse_if(f"{total} != {len(some)}")
        sources.clear()

    def settle(self) -> None:
        """Emit the deferred checks of this block now."""
        self._flush()

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        self.line(head)
        self._indent += 1
        self._pending.append([])
        before = len(self._lines)
        yield
        self._flush()
        if len(self._lines) == before:
            self.line("pass")
        self._pending.pop()
        self._indent -= 1

    @contextmanager
    def function(self, head: str) -> Iterator[None]:
        """Collect a helper function apart from the lines being written."""
        outer = self._lines, self._indent, self._pending
        self._lines, self._indent, self._pending = [], 1, [[]]
        yield
        self._flush()
        self.functions.append("\n".join([head, *self._lines]))
        self._lines, self._indent, self._pending = outer

    def source(self, head: str) -> str:
        self._flush()
        return "\n\n".join([*self.functions, "\n".join([head, *self._lines])]) + "\n"


def compile_source(source: str, names: dict[str, Any], function: str, about: str) -> Callable[..., Any]:
    """Compile generated source; tracebacks and debuggers show it, through ``linecache``.

    Args:
        source: The module text.
        names: Its namespace.
        function: The function in it to return.
        about: What it is for, shown as its file name.
    """
    filename = f"<ddbstream {about} {next(_serial)}>"
    # mtime None: linecache.checkcache leaves such an entry alone
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    namespace = dict(names)
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 - made of identifiers and names of our own
    made: Callable[..., Any] = namespace[function]
    return made
