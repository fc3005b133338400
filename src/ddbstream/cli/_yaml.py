"""YAML as CloudFormation, SAM and the Serverless Framework write it."""

from __future__ import annotations

from typing import Any

import click

from ddbstream.cli._aws import need

__all__ = ["load_yaml"]


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
        return yaml.load(text, Loader)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise click.ClickException(f"{name} is not YAML: {reason}") from None
    except RecursionError:
        raise click.ClickException(f"{name} is nested too deeply") from None
