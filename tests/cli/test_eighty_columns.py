"""On a real terminal of 80 columns each command is readable: nothing is cut off or broken."""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("click")
pytest.importorskip("moto")
import boto3

from ddbstream.cli._local_dynamodb import dynamodb, serving_dynamodb
from ddbstream.testing import insert, lambda_event, modify, on_failure_message
from ddbstream.testing._stream_table import make_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is POSIX")

APP = """
from dataclasses import dataclass
from ddbstream import Insert, StreamRouter, by_keys, keys

@keys(PK="Product#{id}", SK="-")
@dataclass
class Product:
    id: str
    price: int

router = StreamRouter(classify=by_keys(Product))

@router.on_insert(Product)
def added(record: Insert[Product]) -> None: ...
"""
ITEM: dict[str, Any] = {"PK": {"S": "Product#1"}, "SK": {"S": "-"}, "price": {"N": "1"}}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[list[str]]:
    """A table with a stream and an item, on moto."""
    with dynamodb(None):
        client: Any = boto3.client("dynamodb")
        make_table(client, "Catalogue", ["PK", "SK"])
        client.put_item(TableName="Catalogue", Item=ITEM)
        client.create_table(
            TableName="Streamless",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": "PK", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}],
        )
        with serving_dynamodb(0) as url:
            yield ["--endpoint-url", url, "--region", "us-east-1"]


@pytest.fixture
def files(tmp_path: Path) -> None:
    (tmp_path / "wide_app.py").write_text(APP)
    (tmp_path / "old.json").write_text(json.dumps({"Item": ITEM}))
    (tmp_path / "new.json").write_text(json.dumps({"Item": {**ITEM, "price": {"N": "2"}}}))
    records = [insert({"PK": "Product#1", "SK": "-", "price": 1})]
    (tmp_path / "failed.json").write_text(json.dumps(on_failure_message(records, payload="text")))
    (tmp_path / "event.json").write_text(json.dumps(lambda_event(records)))


def ours(seen: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen)
    return plain.replace("\r\n", "\n").replace("\r", "\n")  # a bar is drawn over itself


@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("diff old.json new.json", "price: 1 -> 2"),
        ("filters wide_app:router", "INSERT"),
        ("check wide_app:router old.json", "1 item"),
        ("infer old.json", "class Product"),
        ("replay wide_app:router failed.json --dry-run", "Product#1"),
        ("decode event.json", "Product#1"),
        ("doctor Catalogue --app wide_app:router {aws}", "NEW_AND_OLD_IMAGES"),
        ("streams list {aws}", "Catalogue"),
        ("streams disable Catalogue --yes {aws}", "Catalogue"),
        ("streams enable Streamless {aws}", "NEW_AND_OLD_IMAGES"),
        ("kcl properties wide_app:router --stream s --application a", "applicationName"),
    ],
    ids=lambda value: value.partition(" {")[0],
)
def test_a_line_is_longer_than_the_terminal_only_for_one_word(
    command: str,
    says: str,
    files: None,
    endpoint: list[str],
    on_a_terminal: Callable[..., str],
) -> None:
    aws = endpoint if "{aws}" in command else []
    text = ours(on_a_terminal(*command.replace(" {aws}", "").split(), *aws, columns=80))
    assert says in text, text
    for line in text.splitlines():
        rest = max(line.split(" "), key=len, default="")
        # What holds an ARN, a URL or a path stays one word, to be copied.
        assert len(line) <= 80 or len(line) - len(rest) <= 80, line


LONG = "word " * 40 + "end"
TYPED = """
from dataclasses import dataclass

@dataclass
class Product:
    PK: str
    SK: str
    name: str
"""


@pytest.mark.parametrize(
    "command",
    [
        "decode event.json",
        "decode event.json --model typed:Product",
        "decode item.json",
        "decode item.json --model typed:Product",
        "diff old.json new.json",
        "tail Long {aws} --once --images",
    ],
)
def test_a_long_value_is_shown_to_its_end(
    command: str,
    tmp_path: Path,
    endpoint: list[str],
    on_a_terminal: Callable[..., str],
) -> None:
    before: dict[str, Any] = {"PK": {"S": "1"}, "SK": {"S": "-"}, "name": {"S": "-"}}
    after = {**before, "name": {"S": LONG}}
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "event.json").write_text(json.dumps(lambda_event([modify(before, after)])))
    for name, item in (("item", after), ("old", before), ("new", after)):
        (tmp_path / f"{name}.json").write_text(json.dumps(item))
    aws = endpoint if "{aws}" in command else []
    if aws:
        client: Any = boto3.client("dynamodb", endpoint_url=aws[1], region_name=aws[3])
        make_table(client, "Long", ["PK", "SK"])
        client.put_item(TableName="Long", Item=after)
    seen = ours(on_a_terminal(*command.replace(" {aws}", "").split(), *aws, columns=80))
    assert LONG in seen.replace("\n", ""), seen
