"""What the extras of the package bring, and the error that says which of them is missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["boto3_client", "missing_extra"]


def boto3_client(service: str) -> Any:
    """A client as the environment configures it; who brings one needs no boto3."""
    try:
        boto3 = import_module("boto3")
    except ModuleNotFoundError as error:
        raise missing_extra(error, "boto3", "poller", "without client=, this") from None
    return boto3.client(service)


def missing_extra(
    error: ModuleNotFoundError, module: str, extra: str, purpose: str
) -> ModuleNotFoundError:
    """The error to raise for a module that is not there.

    Args:
        error: What Python says.
        module: What an extra brings. Is something else missing, that is a broken installation, and
            the error stays what it is.
        extra: The extra's name.
        purpose: What needs the module, as the beginning of a sentence.
    """
    if error.name != module:
        return error
    said = f'{purpose} needs {module}: pip install "ddbstream[{extra}]"'
    return ModuleNotFoundError(said, name=module)
