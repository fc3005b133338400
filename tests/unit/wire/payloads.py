"""Wire records written out by hand: what the encoders make is tested against these, not with
itself.
"""

from __future__ import annotations

import base64
import json
from typing import Any

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Shelf/stream/2026-02-03T04:05:06.789"
KEYS = {"PK": {"S": "Book#7"}}
OLD = {**KEYS, "price": {"N": "10"}}
NEW = {**KEYS, "price": {"N": "12.50"}}


def lambda_record(event_name: str = "MODIFY", **change: Any) -> dict[str, Any]:
    """A record as Lambda sends it; a keyword replaces a field of ``dynamodb``, None removes it."""
    inside: dict[str, Any] = {
        "ApproximateCreationDateTime": 1770000000.0,
        "Keys": KEYS,
        "NewImage": NEW,
        "OldImage": OLD,
        "SequenceNumber": "300000000000000000007",
        "SizeBytes": 44,
        "StreamViewType": "NEW_AND_OLD_IMAGES",
    }
    if event_name == "INSERT":
        del inside["OldImage"]
    if event_name == "REMOVE":
        del inside["NewImage"]
    inside.update(change)
    return {
        "eventID": "0f3e5f4c7f0a4c1f9a54b0f0d4a3c2b1",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {name: value for name, value in inside.items() if value is not None},
        "eventSourceARN": ARN,
    }


def kinesis_json(event_name: str = "MODIFY", **change: Any) -> dict[str, Any]:
    """A change as Kinesis Data Streams for DynamoDB carries it, decoded."""
    inside: dict[str, Any] = {
        "ApproximateCreationDateTime": 1770000000123,
        "Keys": KEYS,
        "NewImage": NEW,
        "OldImage": OLD,
        "SizeBytes": 44,
    }
    inside.update(change)
    return {
        "awsRegion": "eu-west-1",
        "eventID": "6d4b1f0a-58f1-4a55-9f0d-1c8d6a0c6f01",
        "eventName": event_name,
        "userIdentity": None,
        "recordFormat": "application/json",
        "tableName": "Shelf",
        "dynamodb": {name: value for name, value in inside.items() if value is not None},
        "eventSource": "aws:dynamodb",
    }


KINESIS_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/shelf-changes"
KINESIS_NUMBER = "49661000000000000000000000000000000000000000000000000042"


def kinesis_entry(data: object, number: str = KINESIS_NUMBER) -> dict[str, Any]:
    """A Kinesis record as Lambda sends it, around a change or around any bytes."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "0A1B2C3D4E5F60718293A4B5C6D7E8F9",
            "sequenceNumber": number,
            "data": base64.b64encode(raw).decode(),
            "approximateArrivalTimestamp": 1770000000.456,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/reader",
        "awsRegion": "eu-west-1",
        "eventSourceARN": KINESIS_ARN,
    }


def sqs_message(
    body: object, message_id: str = "c0ffee00-0000-4000-8000-000000000001"
) -> dict[str, Any]:
    """An SQS message as Lambda sends it."""
    return {
        "messageId": message_id,
        "receiptHandle": "AQEBhandle",
        "body": body if isinstance(body, str) else json.dumps(body),
        "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {},
        "md5OfBody": "0",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:failures",
        "awsRegion": "eu-west-1",
    }


def failure_message(**more: Any) -> dict[str, Any]:
    """What Lambda sends to a failure destination about one record."""
    return {
        "requestContext": {
            "requestId": "5f0d6e3c-0000-4000-8000-000000000002",
            "functionArn": "arn:aws:lambda:eu-west-1:123456789012:function:shelf",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {
            "statusCode": 200,
            "executedVersion": "$LATEST",
            "functionError": "Unhandled",
        },
        "version": "1.0",
        "timestamp": "2026-02-03T04:06:07.891Z",
        "DDBStreamBatchInfo": {
            "shardId": "shardId-00000001770000000000-1a2b3c4d",
            "startSequenceNumber": "300000000000000000007",
            "endSequenceNumber": "300000000000000000007",
            "approximateArrivalOfFirstRecord": "2026-02-02T02:40:00Z",
            "approximateArrivalOfLastRecord": "2026-02-02T02:40:00Z",
            "batchSize": 1,
            "streamArn": ARN,
        },
        **more,
    }
