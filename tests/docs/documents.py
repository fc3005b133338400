"""What the documents' invisible blocks use: the visible ones stay what a reader would write."""

from __future__ import annotations

from typing import Any

import boto3


def table_with(name: str, item: dict[str, Any]) -> str:
    """A table in moto with one item in it; the ARN of its stream."""
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
    client.put_item(TableName=name, Item=item)
    arn: str = table["TableDescription"]["LatestStreamArn"]
    return arn
