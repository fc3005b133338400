"""Kinesis Data Streams for DynamoDB: a change as JSON, inside a Kinesis record.

Lambda gives the Kinesis record in base64 (``kinesis.data``), Pipes the same without the inner map,
boto3 as bytes (``Data``). The JSON inside has no sequence number and no view type, so a batch
response names the Kinesis sequence number, and order is by creation time: Kinesis may repeat and
reorder.

Sources: `record format`_, `Lambda event`_, `GetRecords`_.

.. _record format: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds_gettingstarted.html
.. _Lambda event: https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
.. _GetRecords: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
"""

from __future__ import annotations

from binascii import Error as Base64Error
from binascii import a2b_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ddbstream._records import MalformedRecord, Origin, StreamRecord
from ddbstream._values.json_values import is_map, text_of
from ddbstream._wire.dynamodb import record
from ddbstream._wire.text import load
from ddbstream._wire.unread_text import decoded_base64, record_of_base64, unread_record
from ddbstream.exceptions import PayloadError, RecordError

if TYPE_CHECKING:
    from ddbstream._model import Codec

__all__ = ["everyday_record", "is_kinesis", "kinesis_record"]


def is_kinesis(entry: Mapping[str, Any]) -> bool:
    """Whether an entry is a Kinesis record: Lambda's, Pipes's or boto3's."""
    return "kinesis" in entry or "Data" in entry or ("data" in entry and "sequenceNumber" in entry)


def everyday_record(
    entry: Mapping[str, Any], origin: Origin, codec: Codec[Any]
) -> StreamRecord[Any] | None:
    """The change in an entry of Lambda's; None where `kinesis_record` has to read it."""
    carrier = entry["kinesis"]
    try:
        inside = origin.inside_kinesis(entry, carrier["sequenceNumber"])
        return record_of_base64(carrier["data"], inside, codec)
    except (KeyError, TypeError):
        return None


def kinesis_record(
    entry: Mapping[str, Any], origin: Origin, codec: Codec[Any], where: str
) -> StreamRecord[Any]:
    """The DynamoDB change that a Kinesis record carries, malformed or not."""
    carrier = entry.get("kinesis", entry)
    if type(carrier) is not dict:
        carrier = carrier if is_map(carrier) else {}
    number = carrier.get("sequenceNumber", carrier.get("SequenceNumber"))
    inside = origin.inside_kinesis(entry, number)
    try:
        data = _bytes_of(carrier.get("data", carrier.get("Data")))
        unread = unread_record(data)
        if unread is not None:
            return unread.made(inside, codec)
        change = _change(data)
    except PayloadError as error:
        fault = RecordError(str(error), path=_place(entry, where), sequence_number=text_of(number))
        return MalformedRecord(entry, inside, fault)
    return record(change, inside, codec, _place(entry, where))


def _place(entry: Mapping[str, Any], where: str) -> str:
    if "kinesis" in entry:
        return f"{where}.kinesis.data"
    return f"{where}.Data" if "Data" in entry else f"{where}.data"


def _bytes_of(data: object) -> bytes | bytearray | memoryview:
    if isinstance(data, str):
        found = decoded_base64(data)
        if found is not None:
            return found
        try:
            data = a2b_base64(data)
        except (Base64Error, ValueError):
            raise PayloadError("expected base64 text, got other text") from None
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise PayloadError(f"expected bytes or base64 text, got {type(data).__name__}")
    return data


def _change(data: bytes | bytearray | memoryview) -> Mapping[str, Any]:
    change = load(data)
    if not is_map(change):
        raise PayloadError(f"expected a DynamoDB change, got a JSON {type(change).__name__}")
    return change
