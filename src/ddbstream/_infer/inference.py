"""The whole way from items to a module, and back through it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import count
from types import ModuleType
from typing import Any, Final

from ddbstream._infer.annotations import Alias, Annotations
from ddbstream._infer.classes import ClassPlan, plan_module
from ddbstream._infer.grouping import Grouping
from ddbstream._infer.groups import Entity, Groups
from ddbstream._infer.router_source import RouterSource, write_router, write_test
from ddbstream._infer.source import write_module
from ddbstream._model import from_item

__all__ = ["Inference", "Reader"]

_serial: Final = count(1)


class Inference:
    """Folds items, and writes the classes that read them.

    Args:
        grouping: What tells entities apart.
        name: The class of items that nothing tells apart.
        style: The library that makes the classes.
        choices: Whether texts of a few values become ``Literal``.
        ttl: The attribute that is the table's time to live.
        classifier: Module and name of the function that tells entities apart, for a router.
    """

    def __init__(
        self,
        grouping: Grouping,
        *,
        name: str = "Item",
        style: str = "dataclass",
        choices: bool = True,
        ttl: str | None = None,
        classifier: tuple[str, str] | None = None,
    ) -> None:
        self._groups = Groups(grouping, name)
        self._style = style
        self._choices = choices
        self._ttl = ttl
        self._classifier = classifier
        self._entities: list[Entity] = []
        self._plans: list[Alias | ClassPlan] = []
        self._routed: list[str] = []

    @property
    def count(self) -> int:
        """How many items have been folded."""
        return self._groups.count

    @property
    def entities(self) -> Sequence[Entity]:
        """The entities, once `module` has been written."""
        return self._entities

    def add(self, item: Mapping[str, Any]) -> None:
        """Fold one item; raises DecodeError if it is none, and what a given classifier raises."""
        from_item(item)
        self._groups.add(item)

    def module(self, about: str, *, router: bool = False) -> str:
        """The text of the module of all that was folded; to be called once.

        Args:
            about: What the items are, as the first line of its docstring.
            router: Whether a router with a handler for each class is in it too.
        """
        self._entities = self._groups.entities()
        annotations = Annotations(choices=self._choices)
        self._plans = plan_module(
            self._entities,
            annotations,
            style=self._style,
            ttl=self._ttl,
            total=self.count,
        )
        tail = RouterSource()
        if router:
            tail = write_router(self._entities, self._plans, self._classifier)
            self._routed = sorted(tail.told)
        return write_module(
            self._plans,
            annotations,
            style=self._style,
            about=about,
            more=tail.names,
            tail=tail.lines,
        )

    def test(self, module: str) -> str:
        """The text of a first test of the router, in a module of this name."""
        return write_test(module, self._routed, self._plans)

    def reader(self, source: str) -> Reader:
        """What reads items with the classes of a module that `module` has written."""
        return Reader(source, self._groups)


class Reader:
    """Reads items with the classes of generated source, to prove that they do.

    Args:
        source: The module.
        groups: Knows which class an item is read by.
    """

    def __init__(self, source: str, groups: Groups) -> None:
        self._groups = groups
        self.module = ModuleType(f"ddbstream_inferred_{next(_serial)}")
        # Annotations are looked up by the name of their class's module.
        sys.modules[self.module.__name__] = self.module
        code = compile(source, f"<{self.module.__name__}>", "exec")
        exec(code, self.module.__dict__)  # noqa: S102 - of what was stored, quoted texts are in it

    def read(self, item: Mapping[str, Any]) -> Any:
        """Read an item that was folded; None if it has no entity, raises DecodeError."""
        name = self._groups.entity_of(item)
        return from_item(item, getattr(self.module, name)) if name else None

    def close(self) -> None:
        """Forget the module."""
        sys.modules.pop(self.module.__name__, None)
