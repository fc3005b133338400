"""The converter from GetRecords to Lambda's JSON keeps every value and changes every spelling."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from tests.support.lambda_json import lambda_event

ARN = "arn:aws:dynamodb:us-east-1:123456789012:table/Product/stream/2026-01-01T00:00:00.000"


def test_binary_becomes_base64_times_become_seconds_and_the_stream_is_named():
    image = {
        "PK": {"S": "a"},
        "b": {"B": b"\x00\xff"},
        "bs": {"BS": [b"x", b"yz"]},
        "deep": {"M": {"B": {"L": [{"B": b"z"}, {"NULL": True}]}}},
        "ns": {"NS": ["1", "2"]},
    }
    record = {
        "eventID": "1",
        "eventName": "REMOVE",
        "dynamodb": {
            "ApproximateCreationDateTime": datetime(2026, 1, 1, tzinfo=timezone.utc),
            "Keys": {"PK": {"S": "a"}},
            "OldImage": image,
            "SequenceNumber": "1" * 21,
        },
        "userIdentity": {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"},
    }
    event = lambda_event([record], ARN)
    assert json.loads(json.dumps(event)) == {
        "Records": [
            {
                "eventID": "1",
                "eventName": "REMOVE",
                "eventSourceARN": ARN,
                "dynamodb": {
                    "ApproximateCreationDateTime": 1767225600.0,
                    "Keys": {"PK": {"S": "a"}},
                    "OldImage": {
                        "PK": {"S": "a"},
                        "b": {"B": "AP8="},
                        "bs": {"BS": ["eA==", "eXo="]},
                        "deep": {"M": {"B": {"L": [{"B": "eg=="}, {"NULL": True}]}}},
                        "ns": {"NS": ["1", "2"]},
                    },
                    "SequenceNumber": "1" * 21,
                },
                "userIdentity": {"principalId": "dynamodb.amazonaws.com", "type": "Service"},
            }
        ]
    }
    assert record["dynamodb"]["OldImage"] is image, "what was given stays as it was"
    assert image["b"] == {"B": b"\x00\xff"}
