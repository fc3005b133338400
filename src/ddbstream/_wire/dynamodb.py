"""DynamoDB's own record, as Lambda, ``GetRecords`` and EventBridge Pipes give it.

Lambda's has ``eventSourceARN`` and base64 text, boto3's datetimes, bytes and a PascalCase
``userIdentity``; Pipes sends a bare list. A record reads all three; here they are the same.

Sources: `Lambda event`_, `GetRecords`_, `Pipes`_.

.. _Lambda event: https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
.. _GetRecords: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_streams_GetRecords.html
.. _Pipes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-dynamodb.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ddbstream._records import EVENTS, MalformedRecord, Origin, StreamRecord
from ddbstream._values.json_values import is_map
from ddbstream.exceptions import RecordError

if TYPE_CHECKING:
    from ddbstream._model import Codec

    Reader = Callable[[Any, Origin, Codec[Any], str], Iterator[StreamRecord[Any]]]

__all__ = ["malformed", "record", "records"]


def records(
    entries: Iterable[Any],
    origin: Origin,
    codec: Codec[Any],
    at: str,
    read_other: Reader,
    first: int = 0,
) -> Iterator[StreamRecord[Any]]:
    """One record from each entry; an entry of another form becomes what it holds.

    Args:
        entries: What a payload listed.
        origin: What the payload knows of all of them.
        codec: Reads the images.
        at: Where in the payload the list is: ``Records``.
        read_other: Reads an entry that is no everyday record.
        first: At which place of that list the entries begin.
    """
    index = first - 1
    for entry in entries:
        index += 1
        try:
            cls = EVENTS[entry["eventName"]]
            change = entry["dynamodb"]
        except (KeyError, TypeError, IndexError):
            pass
        else:
            # Other mappings take the long way: `isinstance` of an ABC costs as much as all this.
            if type(change) is dict:
                yield cls(entry, change, origin, codec)
                continue
        if isinstance(entry, StreamRecord):
            yield entry
            continue
        yield from read_other(entry, origin, codec, f"{at}[{index}]")


def record(
    entry: Mapping[str, Any], origin: Origin, codec: Codec[Any], where: str
) -> StreamRecord[Any]:
    """The record of one entry, malformed or not."""
    name, change = entry.get("eventName"), entry.get("dynamodb")
    cls = EVENTS.get(name) if isinstance(name, str) else None
    if cls is not None and is_map(change):
        return cls(entry, change, origin, codec)
    return malformed(entry, origin, where)


def malformed(entry: object, origin: Origin, where: str) -> MalformedRecord:
    """What stands in the place of an entry that is no record."""
    if not is_map(entry):
        return MalformedRecord(
            {}, origin, RecordError(path=where, expected="a map", found=type(entry).__name__)
        )
    change = entry.get("dynamodb")
    if is_map(change):
        fault = RecordError(
            path="eventName",
            expected="INSERT, MODIFY or REMOVE",
            found="something else" if "eventName" in entry else "nothing",
        )
    else:
        found = type(change).__name__ if "dynamodb" in entry else "nothing"
        fault = RecordError(path="dynamodb", expected="a map", found=found)
    fault.located(where)
    return MalformedRecord(entry, origin, fault)
