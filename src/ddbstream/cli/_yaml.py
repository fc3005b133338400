"""YAML as CloudFormation, SAM and the Serverless Framework write it."""

from __future__ import annotations

from typing import Any, Final

import click

from ddbstream.cli._aws import need

__all__ = ["load_yaml"]

_MOST_PARTS: Final = 1_000_000  # of a template; CloudFormation takes a megabyte of text


def load_yaml(text: str, name: str) -> Any:
    """A document in which CloudFormation's tags are what their long forms say: ``{"Ref": name}``.

    Args:
        text: The document.
        name: What a message calls it.

    Raises:
        ClickException: It is no YAML, or there is nothing to read it with.
    """
    yaml = need("yaml", "demo", "a file in YAML")

    class Loader(yaml.SafeLoader):  # type: ignore[misc, name-defined] # loaded just now
        pass

    def tagged(loader: Any, suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.ScalarNode):
            value = loader.construct_scalar(node)
        elif isinstance(node, yaml.SequenceNode):
            value = loader.construct_sequence(node, deep=True)
        else:
            value = loader.construct_mapping(node, deep=True)
        return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}

    Loader.add_multi_constructor("!", tagged)
    try:
        document = yaml.load(text, Loader)
        parts = _parts_of(document, {})
    # What PyYAML says of dates that there are not, and of scalars that are not of their tag.
    except (yaml.YAMLError, ValueError, LookupError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise click.ClickException(f"{name} is not YAML: {reason}") from None
    except RecursionError:
        raise click.ClickException(f"{name} is nested too deeply") from None
    if parts > _MOST_PARTS:
        raise click.ClickException(f"{name} unfolds without an end: its aliases are in each other")
    return document


def _parts_of(value: Any, known: dict[int, int]) -> int:
    """How many parts whoever walks through a value comes by, who meets an alias as often as named.

    Args:
        value: The value.
        known: The parts of what was seen, by its `id`; of what is inside itself, too many.
    """
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in known:
        known[id(value)] = _MOST_PARTS
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_parts_of(one, known) for one in inner)
    return known[id(value)]
