"""Models: classes to and from items.

A class becomes a plan (``planner``: a node for each annotation), and the plan becomes source that
reads the usual item fast (``source``). The nodes define what reading means: whatever the generated
code does not take, they read again, with a path and words for what is wrong. A codec (``codec``)
is the two together.
"""

from __future__ import annotations

from ddbstream._model.codec import Codec, Registry, codec_for, from_item, to_item
from ddbstream._model.markers import Attribute, Epoch, keys, model

__all__ = [
    "Attribute",
    "Codec",
    "Epoch",
    "Registry",
    "codec_for",
    "from_item",
    "keys",
    "model",
    "to_item",
]
