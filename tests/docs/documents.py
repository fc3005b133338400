"""What the documents' invisible blocks use: the visible ones stay what a reader would write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[2]


def save(page: str, opening: str, name: str) -> None:
    """Save the Python block of a page that begins with a line, as a reader would."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    (block,) = [one for one in blocks if one.startswith(opening)]
    Path(name).write_text(block)


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
