"""Writing, compiling and showing generated source."""

from __future__ import annotations

import linecache
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from keyword import iskeyword
from typing import Any

from ddbstream._values.tags import MAX_DEPTH, Unreadable
from ddbstream.exceptions import printable

_serial = count(1)

#: Blocks inside one another in one function; Python itself takes 20 loops, and 100 blocks.
_CROWDED = 12

#: Attribute values whose tags are counted in one sum: a longer line reads badly in a traceback.
_COUNTED_TOGETHER = 8


def is_word(argument: str) -> bool:
    """Whether an argument's name can be written in a call; others go through a dict."""
    is_name = argument.isidentifier() and not iskeyword(argument)
    return is_name and argument != "__debug__"  # which Python lets nobody assign


class Emitter:
    """Collects a generated function's lines, its helper functions, and the objects they name.

    Generated code may raise anything when the input is unusual. ``single`` defers the check that an
    attribute value has only one tag: one sum then checks a whole block, since each value is known
    to have at least the tag that was read.
    """

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"Unreadable": Unreadable}
        self._functions: list[str] = []
        self._function_names: dict[int, str] = {}
        self._lines: list[str] = []
        self.typed = False
        self._indent = 1
        self._pending: list[list[str]] = [[]]
        self._floats: list[list[tuple[str | None, str]]] = [[]]
        self._count = count(1)
        self._levels = self._deepest = 0
        self._base = ""

    def line(self, text: str) -> None:
        """Add a line at the current indentation."""
        self._lines.append("    " * self._indent + text)

    def var(self, hint: str = "v") -> str:
        """A new variable name."""
        return f"{hint}{next(self._count)}"

    def const(self, value: Any, hint: str) -> str:
        """Put an object in the generated code's namespace; returns its one name."""
        hint = str.__str__(hint)  # of a class's name, which may be of a class of its own
        name = stem = "_" + "".join(c if c.isalnum() and c.isascii() else "_" for c in hint)
        serial = 1
        while name in self.names and self.names[name] is not value:
            serial += 1
            name = f"{stem}_{serial}"
        self.names[name] = value
        return name

    def refuse_if(self, condition: str) -> None:
        """Emit a check that leaves the item to the slow reader if ``condition`` holds."""
        self.line(f"if {condition}: raise Unreadable")

    def check_type(self, value: str, name: str) -> None:
        """Check that a payload is of that type, unless msgspec has."""
        if not self.typed:
            self.refuse_if(f"type({value}) is not {name}")

    @contextmanager
    def payloads(self, *, typed: bool) -> Iterator[None]:
        """What follows reads payloads whose types msgspec has checked, or not."""
        before, self.typed = self.typed, typed
        yield
        self.typed = before

    def single(self, source: str) -> None:
        """Check, before this block ends, that the attribute value in ``source`` has one tag."""
        self._pending[-1].append(source)

    def check_float(self, text: str | None, value: str) -> None:
        """Check, before this block ends, that ``text`` is no "nan", "1_0" or " 1" to ``float``.

        Without a text, that ``value`` is finite.
        """
        self._floats[-1].append((text, value))

    def _settle_floats(self) -> None:
        texts = [text for text, _ in self._floats[-1] if text is not None]
        if texts:
            joined = texts[0] if len(texts) == 1 else f'"".join(({", ".join(texts)}))'
            self.refuse_if(f'{joined}.strip("0123456789.-+eE")')
        if self._floats[-1]:
            # infinity is above the limit, alone or in a sum
            total = " + ".join(value for _, value in self._floats[-1])
            self.refuse_if(f"not -1e300 < {total} < 1e300")
            self._floats[-1].clear()

    def settle(self) -> None:
        """Emit this block's deferred checks now."""
        self._settle_floats()
        sources = self._pending[-1]
        for start in range(0, len(sources), _COUNTED_TOGETHER):
            some = sources[start : start + _COUNTED_TOGETHER]
            self.refuse_if(f"{' + '.join(f'len({source})' for source in some)} != {len(some)}")
        sources.clear()

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Indent what follows under ``head``."""
        self.line(head)
        self._indent += 1
        self._pending.append([])
        self._floats.append([])
        yield
        self.settle()
        self._pending.pop()
        self._floats.pop()
        self._indent -= 1

    @contextmanager
    def deeper(self, *, checked: bool = False) -> Iterator[None]:
        """What follows reads members of a container, or calls a helper that counts it itself."""
        self._levels += 1
        if not checked:
            self._deepest = max(self._deepest, self._levels)
        yield
        self._levels -= 1

    @property
    def depth(self) -> str:
        """How many containers are around the value being read, as an expression."""
        return f"{self._base}{self._levels}"

    @property
    def crowded(self) -> bool:
        """Whether another loop needs a function of its own."""
        return self._indent > _CROWDED

    def helper(self, owner: object, hint: str, body: Callable[[str, str], None]) -> str:
        """The name of the helper function of ``owner``, written at its first use.

        Args:
            owner: What the function reads; it can call itself.
            hint: A readable part of its name.
            body: Called with the names of its argument and of its result, emits its lines.
        """
        name = self._function_names.get(id(owner))
        if name is not None:
            return name
        hint = str.__str__(hint)
        name = self._function_names[id(owner)] = self.var(
            f"read_{hint if hint.isidentifier() else 'object'}_"
        )
        outer = self._lines, self._indent, self._pending, self._floats, self._levels, self._base
        outer_deepest, self._deepest = self._deepest, 0
        self._lines, self._indent, self._pending, self._floats = [], 1, [[]], [[]]
        self._levels, self._base = 0, "d + "
        body("value", "made")
        self.settle()
        self.line("return made")
        # the slow reader counts exactly; this refuses all that might be too deep
        check = f"    if d > {MAX_DEPTH - self._deepest}: raise Unreadable"
        self._functions.append("\n".join([f"def {name}(value, d):", check, *self._lines]))
        self._deepest = outer_deepest
        self._lines, self._indent, self._pending, self._floats, self._levels, self._base = outer
        return name

    def source(self, head: str) -> str:
        """The whole module: the helpers, and a function with the lines so far under ``head``."""
        self.settle()
        return "\n\n\n".join([*self._functions, "\n".join([head, *self._lines])]) + "\n"


def compile_source(source: str, names: dict[str, Any], about: str, owner: object) -> dict[str, Any]:
    """Run generated source and return its namespace; tracebacks and debuggers show its lines.

    Args:
        source: The module's text.
        names: The objects it names.
        about: What it is for, shown as its file's name.
        owner: When this is freed, so is the source.
    """
    filename = f"<ddbstream {printable(about)} {next(_serial)}>"
    # mtime None: linecache.checkcache leaves such an entry alone
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    weakref.finalize(owner, linecache.cache.pop, filename, None).atexit = False
    namespace = dict(names)
    exec(compile(source, filename, "exec"), namespace)  # noqa: S102 - identifiers and reprs of ours
    return namespace
