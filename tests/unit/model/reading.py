"""Reading an item by the generated code alone, or by the slow reader alone.

``from_item`` falls back on the slow reader, so a broken fast path would only be slow, and pass.
``codec_for`` and ``ModelCodec`` come from here to all tests of models.
"""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from ddbstream import from_item
from ddbstream._model import codec_for
from ddbstream._model.codec import ModelCodec
from tests.support.products import holding

__all__ = ["ModelCodec", "codec_for", "held_round_trips", "quickly", "round_trips", "slowly"]


def refuse(item: Any) -> NoReturn:
    pytest.fail(f"the generated code did not take {item}")


def quickly(item: Any, model: Any, registry: Any = None) -> Any:
    """Read an item, and fail if the slow reader is asked."""
    codec: Any = ModelCodec(model, registry)
    codec.read_slowly = refuse
    return codec.decode(item)


def slowly(item: Any, model: Any, registry: Any = None) -> Any:
    """Read an item by the slow reader."""
    codec: Any = codec_for(model, registry)
    return codec.read_slowly(item)


def round_trips(obj: Any, model: Any = None, registry: Any = None) -> Any:
    """Write an object on both wires and read it back, fast and slowly; returns the boto3 item."""
    model = model or type(obj)
    for wire in ("json", "boto3"):
        item = codec_for(model, registry).encode(obj, wire)
        assert quickly(item, model, registry) == obj
        assert slowly(item, model, registry) == obj
        assert from_item(item, model, registry=registry) == obj
    return item


def held_round_trips(annotation: Any, value: Any) -> Any:
    """As ``round_trips``, for a value of any kind in a field, types compared too; its wire form."""
    model = holding(annotation)
    item = round_trips(model(value))
    for read in (quickly, slowly):
        assert type(read(item, model).a) is type(value)
    return item["a"]
