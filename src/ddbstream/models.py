"""What most models do not need: options, registries, upgrades of old items, generated source.

The names that most models do need are in ``ddbstream`` itself: ``from_item``, ``to_item``,
``keys``, ``Attribute`` and ``Epoch``.
"""

from __future__ import annotations

from typing import Any

from ddbstream._model import Registry, codec_for, model
from ddbstream._model.codec import ModelCodec
from ddbstream._model.upgrades import Step, removed, renamed, retyped, upgrade, versioned

__all__ = [
    "Registry",
    "Step",
    "decoder_source",
    "model",
    "removed",
    "renamed",
    "retyped",
    "upgrade",
    "versioned",
]


def decoder_source(model: Any, registry: Registry | None = None) -> str:
    """The source that was generated to read a model, as tracebacks and debuggers show it.

    Args:
        model: The model's class.
        registry: The one it is used with, if any.

    Raises:
        ModelDefinitionError: The class cannot work as a model.
    """
    codec = codec_for(model, registry)
    return codec.source if isinstance(codec, ModelCodec) else ""
