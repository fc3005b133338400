"""Old and new items of random classes: read alike, written new, and read again as the same."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

pytest.importorskip("attrs")
pytest.importorskip("msgspec")

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ddbstream import from_item, to_item
from ddbstream._model import codec_for
from ddbstream.models import Registry, removed, renamed, retyped
from ddbstream.typing import AttributeValue
from tests.property.random_models import models
from tests.property.test_random_models import same, sorted_sets


def unwrapped(value: AttributeValue) -> AttributeValue:
    return value["M"]["was"]


def by_text(codec: Any, item: Any, text: bytes) -> Any:
    """As a record reads its image that is text; what is unusual is left to the other decoder."""
    try:
        return codec.read_json(msgspec.Raw(text))
    except Exception:  # noqa: BLE001 - its form
        return codec.decode(item)


@settings(
    max_examples=1000 if settings().max_examples > 1000 else 50,
    suppress_health_check=list(HealthCheck),
)
@given(st.data())
def test_old_items_are_read_as_what_they_are_now_and_both_round_trip(data: st.DataObject) -> None:
    kind = data.draw(models())
    obj = data.draw(kind.values)
    wire = data.draw(st.sampled_from(["boto3", "json"]))
    new: Any = to_item(obj, wire=wire)
    old = dict(new)
    steps: list[Any] = []
    for number, name in enumerate(
        data.draw(st.lists(st.sampled_from([*new, "absent"]), unique=True))
    ):
        # What was wrapped in a map is told from what is not by its tag, unless that is M as well.
        if name in old and "M" not in old[name]:
            old[name] = {"M": {"was": old[name]}}
            steps.append(retyped(name, "M", unwrapped))
        if name in old:
            old[f"old {number}"] = old.pop(name)
        steps.insert(0, renamed(f"old {number}", name))
        old[f"gone {number}"] = {"S": "x"}
        steps.append(removed(f"gone {number}"))
    registry = Registry()
    registry.register(kind.annotation, upgrades=steps)
    codec: Any = codec_for(kind.annotation, registry)
    expected = from_item(new, kind.annotation)
    for item in (old, new):
        stored = sorted_sets(item)
        # as it is, since a list that is stored as a set has an order
        text = json.dumps(item, default=lambda raw: base64.b64encode(raw).decode()).encode()
        for made in (codec.decode(item), codec.read_slowly(item), by_text(codec, item, text)):
            assert same(made, expected)
            assert sorted_sets(codec.encode(made, wire)) == sorted_sets(new)
        assert sorted_sets(item) == stored
