"""What reading both images of a record costs beside its peers: ``python bench/decode.py``.

Times are CPU seconds of this thread with the collector off; the candidates run in random order
within each round, and what is printed is the median of each round's ratio: on a busy machine only
ratios hold. S is the Product of the README, M has 20 attributes of mixed types with nesting, L is
an image of 62 KB. The hand-written reader is what a careful user writes for that one class,
without checks of what DynamoDB never sends; ddbstream's has them.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import logging
import random
import statistics
import sys
import time
import warnings
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import cattrs
import pydantic
from aws_lambda_powertools.utilities.data_classes.dynamo_db_stream_event import DynamoDBRecord
from aws_lambda_powertools.utilities.parser import envelopes
from aws_lambda_powertools.utilities.parser import parse as powertools_parse
from boto3.dynamodb.types import TypeDeserializer
from rows import Row, heading, shown

from ddbstream import Attribute, Epoch, from_item, keys, parse
from ddbstream._model import codec_for

warnings.simplefilter("ignore")
logging.disable()

Item = dict[str, Any]


# --- the classes --------------------------------------------------------------------------------


@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Product:
    id: UUID
    name: str
    price: Decimal
    category: str


@dataclass
class Plain:
    """S without a key template and a UUID: five texts and a number, as boto3 has them."""

    PK: str
    SK: str
    name: str
    price: Decimal
    category: str


@dataclass
class Size:
    w: float
    h: float
    d: float


@dataclass
class Variant:
    sku: str
    price: Decimal
    stock: int


@dataclass
class Address:
    city: str
    zip: str


@dataclass
class Supplier:
    name: str
    address: Address


@keys(PK="Product#{id}", SK="User#Product")
@dataclass
class Wide:
    """M."""

    id: str
    name: str
    price: Decimal
    category: str
    stock: int
    active: bool
    discontinued: datetime | None
    created: datetime
    updated: Annotated[datetime, Epoch("s")]
    weight: float
    thumbnail: bytes
    tags: set[str]
    ratings: set[int]
    dims: Size
    variants: list[Variant]
    images: list[str]
    supplier: Supplier | None
    version: Annotated[int, Attribute("_v")]
    notes: str = ""


@dataclass
class Large:
    """L."""

    id: str
    variants: list[Variant]
    notes: list[str]
    labels: dict[str, str]


def remade(cls: type, **options: bool) -> Any:
    """The same dataclass, made otherwise; its nested classes too."""
    known: dict[type, type] = {}

    def again(kind: type) -> type:
        if kind not in known:
            fields = [
                (f.name, swapped(hints(kind)[f.name]))
                if f.default is dataclasses.MISSING
                else (f.name, swapped(hints(kind)[f.name]), dataclasses.field(default=f.default))
                for f in dataclasses.fields(kind)  # type: ignore[arg-type]
            ]
            made: Any = dataclasses.make_dataclass(kind.__name__, fields, **options)
            known[kind] = keys(PK="Product#{id}", SK="User#Product")(made) if kind is Wide else made
        return known[kind]

    def swapped(annotation: Any) -> Any:
        if dataclasses.is_dataclass(annotation):
            return again(annotation)  # type: ignore[arg-type]
        if annotation == list[Variant]:
            return list[again(Variant)]  # type: ignore[misc]
        return (again(Supplier) | None) if annotation == Supplier | None else annotation

    return again(cls)


def hints(cls: type) -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(cls, include_extras=True)


class PydanticSize(pydantic.BaseModel):
    w: float
    h: float
    d: float


class PydanticVariant(pydantic.BaseModel):
    sku: str
    price: Decimal
    stock: int


class PydanticAddress(pydantic.BaseModel):
    city: str
    zip: str


class PydanticSupplier(pydantic.BaseModel):
    name: str
    address: PydanticAddress


class PydanticWide(pydantic.BaseModel):
    id: str = pydantic.Field(alias="PK")
    name: str
    price: Decimal
    category: str
    stock: int
    active: bool
    discontinued: datetime | None
    created: datetime
    updated: datetime
    weight: float
    thumbnail: Any
    tags: set[str]
    ratings: set[int]
    dims: PydanticSize
    variants: list[PydanticVariant]
    images: list[str]
    supplier: PydanticSupplier | None
    version: int = pydantic.Field(alias="_v")
    notes: str = ""


class PydanticProduct(pydantic.BaseModel):
    PK: str
    SK: str
    name: str
    price: Decimal
    category: str


class PydanticLarge(pydantic.BaseModel):
    id: str
    variants: list[PydanticVariant]
    notes: list[str]
    labels: dict[str, str]


# --- the items ----------------------------------------------------------------------------------

TABLE = "arn:aws:dynamodb:eu-west-1:123456789012:table/Product"
BATCH = 20
ID = "8f14e45f-ceea-467f-9d2c-1f2e3d4c5b6a"


def small(price: str) -> Item:
    return {
        "PK": {"S": f"Product#{ID}"},
        "SK": {"S": "User#Product"},
        "name": {"S": "Walnut desk"},
        "price": {"N": price},
        "category": {"S": "furniture"},
    }


def variants(count: int) -> list[Item]:
    return [
        {"M": {"sku": {"S": f"SKU-{i:06d}"}, "price": {"N": f"{300 + i}.50"}, "stock": {"N": "9"}}}
        for i in range(count)
    ]


def medium(price: str) -> Item:
    return {
        **small(price),
        "stock": {"N": "12"},
        "active": {"BOOL": True},
        "discontinued": {"NULL": True},
        "created": {"S": "2026-01-02T03:04:05+00:00"},
        "updated": {"N": "1790000000"},
        "weight": {"N": "31.5"},
        "thumbnail": {"B": "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAA"},
        "tags": {"SS": ["wood", "office", "desk"]},
        "ratings": {"NS": ["1", "4", "5"]},
        "dims": {"M": {"w": {"N": "140"}, "h": {"N": "72.5"}, "d": {"N": "70"}}},
        "variants": {"L": variants(3)},
        "images": {"L": [{"S": f"https://cdn.example.com/{i}.jpg"} for i in range(4)]},
        "supplier": {
            "M": {
                "name": {"S": "Oak & Co"},
                "address": {"M": {"city": {"S": "Lund"}, "zip": {"S": "22100"}}},
            }
        },
        "_v": {"N": "7"},
        "notes": {"S": "Solid walnut, oiled. " * 8},
    }


def large(price: str) -> Item:
    return {
        "id": {"S": price},
        "variants": {"L": variants(420)},
        "notes": {"L": [{"S": f"note {i}: oiled twice a year, with care"} for i in range(250)]},
        "labels": {"M": {f"label-{i}": {"S": f"value {i}"} for i in range(300)}},
    }


def record(make: Callable[[str], Item]) -> Item:
    return {
        "eventID": "7de3041dd709b024af6f29e4fa13d34c",
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-west-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1790000000,
            "Keys": {"PK": {"S": f"Product#{ID}"}, "SK": {"S": "User#Product"}},
            "NewImage": make("349.99"),
            "OldImage": make("399.99"),
            "SequenceNumber": "4421584500000000017450439091",
            "SizeBytes": 762,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": f"{TABLE}/stream/2026-01-01T00:00:00.000",
    }


# --- readers by hand ----------------------------------------------------------------------------


def hand_small(item: Item) -> Product:
    return Product(
        UUID(item["PK"]["S"].removeprefix("Product#")),
        item["name"]["S"],
        Decimal(item["price"]["N"]),
        item["category"]["S"],
    )


def hand_plain(item: Item) -> Plain:
    return Plain(
        item["PK"]["S"],
        item["SK"]["S"],
        item["name"]["S"],
        Decimal(item["price"]["N"]),
        item["category"]["S"],
    )


def hand_variant(item: Item) -> Variant:
    return Variant(item["sku"]["S"], Decimal(item["price"]["N"]), int(item["stock"]["N"]))


def hand_medium(item: Item) -> Wide:
    dims = item["dims"]["M"]
    discontinued = item.get("discontinued", {})
    supplier = item.get("supplier", {}).get("M")
    return Wide(
        item["PK"]["S"].removeprefix("Product#"),
        item["name"]["S"],
        Decimal(item["price"]["N"]),
        item["category"]["S"],
        int(item["stock"]["N"]),
        item["active"]["BOOL"],
        datetime.fromisoformat(discontinued["S"]) if "S" in discontinued else None,
        datetime.fromisoformat(item["created"]["S"]),
        datetime.fromtimestamp(int(item["updated"]["N"]), timezone.utc),
        float(item["weight"]["N"]),
        b64decode(item["thumbnail"]["B"]),
        set(item["tags"]["SS"]) if "tags" in item else set(),
        {int(rating) for rating in item["ratings"]["NS"]} if "ratings" in item else set(),
        Size(float(dims["w"]["N"]), float(dims["h"]["N"]), float(dims["d"]["N"])),
        [hand_variant(member["M"]) for member in item["variants"]["L"]],
        [member["S"] for member in item["images"]["L"]],
        hand_supplier(supplier) if supplier is not None else None,
        int(item["_v"]["N"]),
        item["notes"]["S"] if "notes" in item else "",
    )


def hand_supplier(item: Item) -> Supplier:
    address = item["address"]["M"]
    return Supplier(item["name"]["S"], Address(address["city"]["S"], address["zip"]["S"]))


def payload(value: Item, tag: str) -> Any:
    """The checks that ddbstream makes of every value, as one would write them by hand."""
    if len(value) != 1:
        raise ValueError
    found = value[tag]
    if type(found) is not str:
        raise TypeError
    return found


def number(value: Item) -> str:
    text: str = payload(value, "N")
    if text.strip("0123456789.-+eE"):
        raise ValueError
    return text


def members(value: Item, tag: str) -> Any:
    if len(value) != 1:
        raise ValueError
    return value[tag]


def checked_variant(item: Item) -> Variant:
    return Variant(
        payload(item["sku"], "S"), Decimal(number(item["price"])), int(number(item["stock"]))
    )


def checked_medium(item: Item) -> Wide:
    dims = members(item["dims"], "M")
    discontinued = item.get("discontinued", {"NULL": True})
    supplier = item.get("supplier", {"NULL": True})
    return Wide(
        payload(item["PK"], "S").removeprefix("Product#"),
        payload(item["name"], "S"),
        Decimal(number(item["price"])),
        payload(item["category"], "S"),
        int(number(item["stock"])),
        members(item["active"], "BOOL"),
        None if "NULL" in discontinued else datetime.fromisoformat(payload(discontinued, "S")),
        datetime.fromisoformat(payload(item["created"], "S")),
        datetime.fromtimestamp(int(number(item["updated"])), timezone.utc),
        float(number(item["weight"])),
        b64decode(payload(item["thumbnail"], "B"), validate=True),
        set(members(item["tags"], "SS")) if "tags" in item else set(),
        {int(rating) for rating in members(item["ratings"], "NS")} if "ratings" in item else set(),
        Size(float(number(dims["w"])), float(number(dims["h"])), float(number(dims["d"]))),
        [checked_variant(members(member, "M")) for member in members(item["variants"], "L")],
        [payload(member, "S") for member in members(item["images"], "L")],
        None if "NULL" in supplier else hand_supplier(members(supplier, "M")),
        int(number(item["_v"])),
        payload(item["notes"], "S") if "notes" in item else "",
    )


def hand_large(item: Item) -> Large:
    return Large(
        item["id"]["S"],
        [hand_variant(member["M"]) for member in item["variants"]["L"]],
        [member["S"] for member in item["notes"]["L"]],
        {name: member["S"] for name, member in item["labels"]["M"].items()},
    )


# --- candidates ---------------------------------------------------------------------------------

_boto3 = TypeDeserializer()


def boto3_reads(item: Item) -> Item:
    return {name: _boto3.deserialize(value) for name, value in item.items()}


def both(read: Callable[[Item], Any], whole: Item) -> Callable[[], object]:
    change = whole["dynamodb"]
    old, new = change["OldImage"], change["NewImage"]
    return lambda: (read(old), read(new))


def as_bytes(whole: Item) -> Item:
    """The record as boto3 and the deserializers of others take it: binaries as bytes."""
    change = dict(whole["dynamodb"])
    for image in ("OldImage", "NewImage"):
        change[image] = {
            name: {"B": b64decode(value["B"])} if "B" in value else value
            for name, value in change[image].items()
        }
    return {**whole, "dynamodb": change}


def powertools_images(whole: Item) -> object:
    change = DynamoDBRecord(whole).dynamodb
    assert change is not None
    return change.old_image, change.new_image


def our_images(batch: list[Item], model: Any) -> object:
    return [(found.old, found.new) for found in parse(batch, model)]  # type: ignore[union-attr]


def converter() -> cattrs.Converter:
    made = cattrs.Converter()
    made.register_structure_hook(Decimal, lambda value, _: value)
    made.register_structure_hook(UUID, lambda value, _: UUID(value))
    made.register_structure_hook(int, lambda value, _: int(value))
    made.register_structure_hook(float, lambda value, _: float(value))
    made.register_structure_hook(bytes, lambda value, _: bytes(value))

    def moment(value: Any, _: Any) -> datetime:
        if isinstance(value, str):
            return datetime.fromisoformat(value)
        return datetime.fromtimestamp(int(value), timezone.utc)

    made.register_structure_hook(datetime, moment)
    made.register_structure_hook_func(lambda kind: kind == Annotated[datetime, Epoch("s")], moment)
    made.register_structure_hook(
        Wide,
        cattrs.gen.make_dict_structure_fn(
            Wide, made, id=cattrs.override(rename="PK"), version=cattrs.override(rename="_v")
        ),
    )
    return made


def reader(model: Any) -> Callable[[Item], Any]:
    """The generated decoder itself, and not the method that makes it."""
    codec: Any = codec_for(model)
    assert codec.source
    return codec.decode  # type: ignore[no-any-return]


Candidates = Mapping[str, Callable[[], object]]


def measure(named: Candidates, seconds: float) -> dict[str, list[float]]:
    """CPU seconds of one call of each candidate, round by round."""
    times: dict[str, list[float]] = {name: [] for name in named}
    for run in named.values():
        run()
    once = time.thread_time()
    for run in named.values():
        run()
    once = max(time.thread_time() - once, 1e-6)
    repeat = max(1, int(0.02 / once))
    rounds = max(9, int(seconds / (once * repeat)))
    gc.collect()
    gc.disable()
    for _ in range(rounds):
        order = list(named.items())
        random.shuffle(order)
        for name, run in order:
            start = time.thread_time()
            for _ in range(repeat):
                run()
            times[name].append((time.thread_time() - start) / repeat)
    gc.enable()
    return times


def ratio(times: dict[str, list[float]], one: str, other: str) -> float:
    return statistics.median(a / b for a, b in zip(times[one], times[other], strict=True))


def typed(seconds: float) -> Iterator[Row]:
    for size, make, model, hand, wanted in (
        ("S", small, Product, hand_small, ""),
        ("S, five texts and numbers", small, Plain, hand_plain, ">= 4"),
        ("M", medium, Wide, hand_medium, ">= 4"),
        ("L", large, Large, hand_large, ">= 4"),
    ):
        whole = record(make)
        read = reader(model)
        raw = as_bytes(whole)
        assert read(whole["dynamodb"]["NewImage"]) == hand(whole["dynamodb"]["NewImage"])
        times = measure(
            {
                "ddbstream": both(read, whole),
                "boto3": both(boto3_reads, raw),
                "hand": both(hand, whole),
            },
            seconds,
        )
        faster = ratio(times, "boto3", "ddbstream")
        yield Row(f"{size}: typed decode, times faster than boto3's dicts", faster, wanted)
        limit = {"S": "<= 1.15", "M": "<= 1.05"}.get(size, "")
        yield Row(f"{size}: time against hand-written", ratio(times, "ddbstream", "hand"), limit)
    whole = record(medium)
    assert checked_medium(whole["dynamodb"]["NewImage"]) == hand_medium(
        whole["dynamodb"]["NewImage"]
    )
    times = measure(
        {"ddbstream": both(reader(Wide), whole), "checked": both(checked_medium, whole)}, seconds
    )
    against = "M: time against hand-written that checks what ddbstream checks"
    yield Row(against, ratio(times, "ddbstream", "checked"), "<= 0.85")


def untyped(seconds: float) -> Iterator[Row]:
    for size, make, wanted in (
        ("S", small, ">= 3.5"),
        ("M", medium, ">= 2.8"),
        ("L", large, ">= 2.8"),
    ):
        raw = as_bytes(record(make))
        times = measure(
            {"ddbstream": both(from_item, raw), "boto3": both(boto3_reads, raw)}, seconds
        )
        faster = ratio(times, "boto3", "ddbstream")
        yield Row(f"{size}: untyped decode, times faster than boto3", faster, wanted)


def peers(seconds: float) -> Iterator[Row]:
    whole = record(medium)
    raw = as_bytes(whole)
    cattrs_wide = converter()
    event = {"Records": [raw] * BATCH}
    times = measure(
        {
            "ddbstream": both(reader(Wide), whole),
            "ddbstream batch": lambda: our_images([whole] * BATCH, Wide),
            "boto3 + cattrs": both(
                lambda item: cattrs_wide.structure(boto3_reads(item), Wide), raw
            ),
            "boto3 + pydantic": both(
                lambda item: PydanticWide.model_validate(boto3_reads(item)), raw
            ),
            "Powertools data classes": lambda: [powertools_images(raw) for _ in range(BATCH)],
            "Powertools parser": lambda: powertools_parse(
                event, PydanticWide, envelopes.DynamoDBStreamEnvelope
            ),
        },
        seconds,
    )
    for peer, goal in (
        ("Powertools data classes", ">= 6"),
        ("Powertools parser", ">= 10"),
        ("boto3 + cattrs", ""),
        ("boto3 + pydantic", ""),
    ):
        against = "ddbstream batch" if peer.startswith("Powertools") else "ddbstream"
        yield Row(f"M: times faster than {peer}", ratio(times, peer, against), goal)


def classes(seconds: float) -> Iterator[Row]:
    for size, make, model in (("S", small, Plain), ("M", medium, Wide)):
        whole = record(make)
        kinds = {
            "plain": remade(model),
            "slots": remade(model, slots=True),
            "frozen": remade(model, frozen=True),
            "frozen + slots": remade(model, frozen=True, slots=True),
        }
        times = measure({name: both(reader(cls), whole) for name, cls in kinds.items()}, seconds)
        for name, goal in (("slots", ""), ("frozen", "<= 1.15"), ("frozen + slots", "<= 1.3")):
            what = f"{size}: a {name} dataclass against a plain one"
            yield Row(what, ratio(times, name, "plain"), goal)


def lazily(seconds: float) -> Iterator[Row]:
    whole = record(medium)

    def untouched() -> None:
        for _ in parse([whole] * 100, Wide):
            pass

    def read() -> None:
        for found in parse([whole] * 100, Wide):
            found.old, found.new  # type: ignore[union-attr]  # noqa: B018

    times = measure({"untouched": untouched, "read": read}, seconds)
    what = "M: a record whose images nobody reads, against reading both"
    yield Row(what, ratio(times, "untouched", "read"), "<= 0.02")
    (found,) = parse([whole], Wide)
    yield Row("the size of such a record", sys.getsizeof(found), "<= 100 bytes")


def generation(seconds: float) -> Iterator[Row]:
    def define() -> Any:
        return remade(Wide)

    def bind() -> Any:
        codec_for(define()).decode(medium("1"))

    times = measure({"@dataclass": define, "both": bind}, seconds)
    extra = statistics.median(
        (b - d) / d for b, d in zip(times["both"], times["@dataclass"], strict=True)
    )
    what = "M: planning, generating and first decode, against @dataclass of the same"
    yield Row(what, extra, "<= 1")


def memory() -> Iterator[Row]:
    import json
    import tracemalloc

    def size_of(make: Callable[[], Any]) -> int:
        make()
        gc.collect()
        tracemalloc.start()
        kept = [make() for _ in range(200)]
        used, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        del kept
        return used // 200

    text = json.dumps(record(medium))
    whole = record(medium)
    raw = as_bytes(whole)
    ours = size_of(both(reader(remade(Wide, slots=True)), whole))
    for what, goal, make in (
        ("the raw event", "<= 0.18", lambda: json.loads(text)),
        ("boto3's dicts", "<= 0.55", both(boto3_reads, raw)),
        (
            "pydantic's objects",
            "<= 0.33",
            both(lambda i: PydanticWide.model_validate(boto3_reads(i)), raw),
        ),
    ):
        yield Row(f"M: memory of decoded slots objects against {what}", ours / size_of(make), goal)


def rows(seconds: float) -> Iterator[Row]:
    """All that is measured here.

    Args:
        seconds: For each comparison.
    """
    for part in (typed, untyped, peers, classes, lazily, generation):
        yield from part(seconds)
    yield from memory()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each comparison")
    seconds: float = parser.parse_args().seconds
    print(heading())
    shown(rows(seconds))


if __name__ == "__main__":
    main()
