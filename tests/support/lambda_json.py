"""From what boto3's GetRecords gives to the JSON event that Lambda makes of the same records.

The differences, each seen on AWS: binary values are base64 text, times are numbers of seconds,
``userIdentity`` has lower-case keys, and every record names its stream.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


def lambda_event(records: Iterable[Mapping[str, Any]], stream_arn: str) -> dict[str, Any]:
    """The event that an event source mapping would hand to a function for ``records``."""
    return {"Records": [lambda_record(record, stream_arn) for record in records]}


def lambda_record(record: Mapping[str, Any], stream_arn: str) -> dict[str, Any]:
    """One record of it; ``record`` stays as it is."""
    made = dict(record)
    made["eventSourceARN"] = stream_arn
    change = dict(record["dynamodb"])
    created = change.get("ApproximateCreationDateTime")
    if isinstance(created, datetime):
        change["ApproximateCreationDateTime"] = created.timestamp()
    for image in ("Keys", "NewImage", "OldImage"):
        if image in change:
            change[image] = {name: _as_text(value) for name, value in change[image].items()}
    made["dynamodb"] = change
    if identity := record.get("userIdentity"):
        made["userIdentity"] = {
            "principalId": identity["PrincipalId"],
            "type": identity["Type"],
        }
    return made


def _as_text(value: Mapping[str, Any]) -> dict[str, Any]:
    ((tag, inner),) = value.items()
    if tag == "B":
        return {tag: base64.b64encode(inner).decode()}
    if tag == "BS":
        return {tag: [base64.b64encode(part).decode() for part in inner]}
    if tag == "L":
        return {tag: [_as_text(part) for part in inner]}
    if tag == "M":
        return {tag: {name: _as_text(part) for name, part in inner.items()}}
    return {tag: inner}
