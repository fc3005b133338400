"""What the documents' invisible blocks use: the visible ones stay what a reader would write."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Any

import boto3

if TYPE_CHECKING:
    from collections.abc import Callable

PRODUCT_ID = "0b5f3a52-6c6c-4a0e-9c1b-8f6f5e0f7a11"


def product_item(price: str = "1299.99") -> dict[str, Any]:
    """The item of the README's product."""
    return {
        "PK": {"S": f"Product#{PRODUCT_ID}"},
        "SK": {"S": "User#Product"},
        "name": {"S": "Walnut desk"},
        "price": {"N": price},
        "category": {"S": "furniture"},
    }


def price_change(old: str, new: str) -> dict[str, Any]:
    """A Lambda event with one MODIFY of that product."""
    images = {"OldImage": product_item(old), "NewImage": product_item(new)}
    return {"Records": [stream_record("MODIFY", images)]}


def stream_record(event_name: str, images: dict[str, Any]) -> dict[str, Any]:
    """One record of a Lambda event."""
    keys = {name: value for name, value in product_item().items() if name in {"PK", "SK"}}
    return {
        "eventID": "c4ca4238a0b923820dcc509a6f75849b",
        "eventName": event_name,
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "us-east-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1795428930.0,
            "Keys": keys,
            **images,
            "SequenceNumber": "111000000000000000001",
            "SizeBytes": 200,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:us-east-1:123456789012:"
        "table/Product/stream/2026-11-23T10:00:00.000",
    }


def demo_table(name: str) -> str:
    """A table in moto with one product in it; the ARN of its stream."""
    client = boto3.client("dynamodb")
    table = client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": "PK", "AttributeType": "S"},
            {"AttributeName": "SK", "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": "PK", "KeyType": "HASH"},
            {"AttributeName": "SK", "KeyType": "RANGE"},
        ],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    client.put_item(TableName=name, Item=product_item())
    return table["TableDescription"]["LatestStreamArn"]


def printed_by(function: Callable[..., object], *arguments: object) -> list[str]:
    """The lines that a call prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        function(*arguments)
    return out.getvalue().splitlines()
