"""Upgrades: items as older versions of a class wrote them become items as it writes them now.

A step is a function from a wire item to a wire item. Steps run in order, each on what the one
before it gave, before anything else of an item is read; nothing runs when an item is written.

Rule: a step leaves an item that needs nothing from it as it is, since every item passes through,
and never changes what it is given: the stored form of a record stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from ddbstream._model.markers import OPTIONS, Options, options_of
from ddbstream._values.callables import check_function
from ddbstream._values.numbers import number_from_wire
from ddbstream._values.tags import TAGS, tag_words
from ddbstream.exceptions import DecodeError, ModelDefinitionError

if TYPE_CHECKING:
    from ddbstream.typing import AttributeValue, Item

__all__ = [
    "Step",
    "Versioned",
    "former_names",
    "removed",
    "renamed",
    "retyped",
    "steps_of",
    "upgrade",
    "versioned",
]

C = TypeVar("C", bound="type[Any]")


class Step:
    """A step of an upgrade. Never changes the item that it is given.

    Attributes:
        name: What errors call it.
        attribute: The attribute that it is about; empty if it is about the item.
    """

    name: str
    attribute: str = ""

    def __call__(self, item: Mapping[str, Any]) -> Any:
        """The item as the next step, or the class, reads it; raises anything if it cannot."""
        raise NotImplementedError

    def former(self, attribute: str) -> list[str]:
        """The names under which items before this step have what it stores as ``attribute``."""
        return []

    def __repr__(self) -> str:
        return self.name


AnyStep = Step | Callable[["Item"], "Item"]


class _Function(Step):
    """A function of the user's; what it does to its argument it does to a copy."""

    def __init__(self, function: Callable[[Item], Item]) -> None:
        self.name = getattr(function, "__qualname__", type(function).__name__)
        self._function = function

    def __call__(self, item: Mapping[str, Any]) -> Any:
        return self._function(dict(item))


class _Renamed(Step):
    def __init__(self, old: str, new: str) -> None:
        self.name = f"renamed({old!r}, {new!r})"
        self._old, self._new = old, new

    def __call__(self, item: Mapping[str, Any]) -> Any:
        if self._old not in item:
            return item
        made = dict(item)
        value = made.pop(self._old)
        # A writer that knew both names wrote the new one last.
        made.setdefault(self._new, value)
        return made

    def former(self, attribute: str) -> list[str]:
        return [self._old] if attribute == self._new else []


class _Retyped(Step):
    def __init__(
        self, attribute: str, tag: str, function: Callable[[AttributeValue], AttributeValue]
    ) -> None:
        self.name = f"retyped({attribute!r}, {tag!r}, ...)"
        self.attribute, self._tag, self._function = attribute, tag, function

    def __call__(self, item: Mapping[str, Any]) -> Any:
        value = item.get(self.attribute)
        if value is None or self._tag not in value:
            return item
        return {**item, self.attribute: self._function(value)}


class _Removed(Step):
    def __init__(self, attribute: str) -> None:
        self.name = f"removed({attribute!r})"
        self.attribute = attribute

    def __call__(self, item: Mapping[str, Any]) -> Any:
        if self.attribute not in item:
            return item
        return {name: value for name, value in item.items() if name != self.attribute}


class Versioned(Step):
    """Steps by the version that they take an item from.

    Attributes:
        current: The version that the class writes.
    """

    def __init__(self, attribute: str, steps: Mapping[int, Step]) -> None:
        self.name = f"versioned({attribute!r}, ...)"
        self.attribute = attribute
        self._steps = dict(sorted(steps.items()))
        self._first = min(steps)
        self.current = max(steps) + 1
        self._current = {"N": str(self.current)}

    def __call__(self, item: Mapping[str, Any]) -> Any:
        stored = item.get(self.attribute)
        if stored == self._current:
            return item
        version = self._first if stored is None else self._number(stored)
        for number, step in self._steps.items():
            if number >= version:
                item = step(item)
                if not isinstance(item, Mapping):
                    raise DecodeError(f"upgrade {step.name} gave {type(item).__name__}, no item")
        return {**item, self.attribute: self._current}

    def former(self, attribute: str) -> list[str]:
        return former_names([*self._steps.values()], attribute)

    def _number(self, stored: Any) -> Decimal:
        """The version that an item says; raises DecodeError if it is not known here."""
        if tag_words(stored) != "N":
            raise DecodeError(path=self.attribute, expected="N", found=tag_words(stored))
        try:
            version = number_from_wire(stored["N"])
        except ValueError:
            found = "malformed N"
        else:
            if version <= self.current:
                return version
            found = "a later one"
        expected = f"a version up to {self.current}"
        raise DecodeError(path=self.attribute, expected=expected, found=found)


def renamed(old: str, new: str) -> Step:
    """A step for `upgrade`: what was stored as ``old`` is read as ``new``.

    An item that has both was written by someone who knows the new name, and that one counts.

    Args:
        old: The attribute's former name.
        new: Its name now: the attribute's, where that is not the field's.

    Raises:
        ModelDefinitionError: They are no two names.
    """
    if not old or not new or old == new:
        raise ModelDefinitionError("renamed() takes an attribute's former name and its name now")
    return _Renamed(old, new)


def retyped(attribute: str, was: str, function: Callable[[AttributeValue], AttributeValue]) -> Step:
    """A step for `upgrade`: values that were stored as another type are converted.

    Args:
        attribute: The attribute's name.
        was: The type tag of those values: ``"S"``. Values of other types are left as they are, so
            the function has to give one of another type.
        function: From such an attribute value to one of the type that it has now.

    Raises:
        ModelDefinitionError: There is no such tag, or the function is none.
    """
    if not attribute or was not in TAGS or not callable(function):
        raise ModelDefinitionError('retyped() takes an attribute, a tag such as "S", a function')
    check_function(function, "retyped()", ModelDefinitionError, arguments=1)
    return _Retyped(attribute, was, function)


def removed(attribute: str) -> Step:
    """A step for `upgrade`: an attribute that is stored no more is not read either.

    For classes that forbid or collect unknown attributes; the others ignore it anyway.

    Args:
        attribute: The attribute's name.

    Raises:
        ModelDefinitionError: It is no name.
    """
    if not attribute:
        raise ModelDefinitionError("removed() takes an attribute's name")
    return _Removed(attribute)


def versioned(attribute: str, steps: Mapping[int, AnyStep]) -> Step:
    """A step for `upgrade`: steps by the version that an item says it is of.

    ``versioned("v", {1: cents_to_euros, 2: renamed("sum", "total")})`` takes an item of version 1
    through both, one of version 2 through the second, and leaves one of version 3 alone. An item
    without the attribute is of the lowest version. A field of the class has to store the version,
    with the current one as its default, so that what is written says it.

    Args:
        attribute: The attribute that has the version, a number.
        steps: From version to the step, or function, that takes an item to the next.

    Raises:
        ModelDefinitionError: The versions are no numbers one after the other.
    """
    numbers = sorted(steps)
    whole = all(type(number) is int for number in numbers)
    if (
        not attribute
        or not numbers
        or not whole
        or numbers != [*range(numbers[0], numbers[-1] + 1)]
    ):
        raise ModelDefinitionError("versioned() takes a step for each version, with none left out")
    options_of({"upgrades": (*steps.values(),)})
    return Versioned(attribute, {number: _step(step) for number, step in steps.items()})


def upgrade(*steps: AnyStep) -> Callable[[C], C]:
    """Read what older versions of a class have stored: old images, exports, failure queues.

    ``@upgrade(renamed("cost", "price"), retyped("price", "S", number))`` above a class. Each step
    is one of `renamed`, `retyped`, `removed` and `versioned`, or a function that takes a wire item
    (a copy, but not of the values in it) and returns it as the next step wants it. All steps see
    every item, in order, and leave alone what needs nothing from them. A subclass's steps follow
    those that it inherits, a decorator's those of the decorators below it.

    Raises:
        ModelDefinitionError: A step cannot be called.
    """
    options_of({"upgrades": steps or None})

    def mark(cls: C) -> C:
        own: Options | None = getattr(cls, OPTIONS, None)
        before = (own and own.upgrades) or ()
        setattr(cls, OPTIONS, Options({"upgrades": (*before, *steps)}).over(own))
        return cls

    return mark


def former_names(steps: Sequence[Step], attribute: str) -> list[str]:
    """All names under which older items may have an attribute, the latest first."""
    names = [attribute]
    for step in reversed(steps):
        names += [name for known in names for name in step.former(known) if name not in names]
    return names[1:]


def steps_of(options: Options) -> tuple[Step, ...]:
    """The steps that a class's options have."""
    return tuple(map(_step, options.upgrades or ()))


def _step(step: Any) -> Step:
    return step if isinstance(step, Step) else _Function(step)
