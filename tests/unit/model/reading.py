"""Reading an item by the generated code alone: a broken fast path would only be slow, and pass."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from ddbstream._model import codec_for
from ddbstream._model.codec import ModelCodec


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
