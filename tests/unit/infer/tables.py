"""Six tables as people have them: the items are invented, their shapes are not."""

from __future__ import annotations

import random
from binascii import b2a_base64
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import UUID

Item = dict[str, Any]
START = datetime(2024, 3, 1, 8, 30, tzinfo=timezone.utc)


def _uuid(source: random.Random) -> str:
    return str(UUID(int=source.getrandbits(128), version=4))


def _texts(*texts: str) -> Item:
    return {"L": [{"S": text} for text in texts]}


def single_table(count: int = 300) -> Iterator[Item]:
    """A single table of five entities, with an index."""
    source = random.Random(1)
    for number in range(count // 5):
        customer, order = _uuid(source), number + 1
        yield {
            "PK": {"S": f"Customer#{customer}"},
            "SK": {"S": "PROFILE"},
            "email": {"S": f"customer-{number}@example.com"},
            "plan": {"S": source.choice(["free", "pro", "team"])},
            "createdAt": {"S": (START + timedelta(hours=number)).isoformat()},
        }
        yield {
            "PK": {"S": f"Customer#{customer}"},
            "SK": {"S": f"Order#{order:06d}"},
            "GSI1PK": {"S": f"Order#{order:06d}"},
            "GSI1SK": {"S": f"Customer#{customer}"},
            "total": {"N": f"{source.randrange(100, 99999) / 100}"},
            "currency": {"S": source.choice(["EUR", "USD"])},
        }
        yield {
            "PK": {"S": f"Customer#{customer}"},
            "SK": {"S": f"Order#{order:06d}#Line#{source.randrange(9)}"},
            "sku": {"S": f"SKU-{source.randrange(1000)}"},
            "quantity": {"N": str(source.randrange(1, 9))},
        }
        yield {
            "PK": {"S": f"Product#{number}"},
            "SK": {"S": f"Product#{number}"},
            "title": {"S": f"Thing {number}"},
            "price": {"N": str(source.randrange(1, 9))} if number % 2 else {"N": "9.95"},
        }
        yield {
            "PK": {"S": f"Product#{number}"},
            "SK": {"S": f"Review#{(START + timedelta(minutes=number)).isoformat()}"},
            "stars": {"N": str(source.randrange(1, 6))},
            **({"text": {"S": "fine"}} if number % 3 else {}),
        }


def iot(count: int = 200) -> Iterator[Item]:
    """Readings of devices: no composite keys, moments in milliseconds, maps by sensor."""
    source = random.Random(2)
    for number in range(count):
        reading = {
            f"channel-{n}": {"N": f"{source.random():.3f}"} for n in range(source.randrange(1, 4))
        }
        yield {
            "deviceId": {"S": f"dev-{number % 7}"},
            "ts": {"N": str(1709281800000 + number * 60000)},
            "firmware": {"S": "1.4.2"},
            "battery": {"N": str(source.randrange(100))},
            "online": {"BOOL": number % 5 > 0},
            "readings": {"M": reading},
            "position": {"L": [{"N": "48.137"}, {"N": "11.575"}]},
            "byDay": {
                "M": {f"2024-03-{day:02d}": {"N": str(day)} for day in range(1, 1 + number % 5)}
            },
        }


def sessions(count: int = 150) -> Iterator[Item]:
    """Sessions that expire."""
    source = random.Random(3)
    for number in range(count):
        yield {
            "session_id": {"S": _uuid(source)},
            "user": {"S": f"user-{number}"} if number % 4 else {"NULL": True},
            "expires_at": {"N": str(1709281800 + number)},
            "last_seen": {"S": f"2024-03-01T08:30:00.{number:03d}Z"},
            "ip": {"S": f"10.0.0.{number % 250}"},
            **(
                {"scopes": {"SS": sorted(source.sample(["read", "write", "admin"], 2))}}
                if number % 2
                else {}
            ),
        }


def shop(count: int = 120) -> Iterator[Item]:
    """Orders with all that belongs to them inside."""
    source = random.Random(4)
    for number in range(count):
        address = {
            "street": {"S": f"Main Street {number}"},
            "zipCode": {"S": f"{number:05d}"},
            "country": {"S": source.choice(["DE", "FR", "IT"])},
        }
        line = {
            "productId": {"S": _uuid(source)},
            "quantity": {"N": str(source.randrange(1, 5))},
            "unitPrice": {"N": f"{source.randrange(100, 9999) / 100}"},
            "options": {"L": [{"M": {"name": {"S": "colour"}, "value": {"S": "red"}}}]},
        }
        yield {
            "orderId": {"S": _uuid(source)},
            "placedOn": {"S": f"2024-03-{1 + number % 28:02d}"},
            "state": {"S": source.choice(["open", "paid", "shipped", "returned"])},
            "lines": {"L": [{"M": line}] * (1 + number % 3)},
            "shippingAddress": {"M": address},
            "billingAddress": {
                "M": {**address, "vatId": {"S": f"V{number}"}} if number % 2 else address
            },
            "coupons": {"L": []} if number % 2 else _texts("SPRING"),
            "gift": {"BOOL": False},
        }


def legacy(count: int = 100) -> Iterator[Item]:
    """Ten years of writers: a type changed, a name changed, capitals, keywords, odd names."""
    for number in range(count):
        old = number % 3 == 0
        yield {
            "ID": {"N": str(number)} if old else {"S": f"A-{number}"},
            "class": {"S": "standard"},
            "Created": {"N": str(1500000000 + number)}
            if old
            else {"S": "2024-03-01T08:30:00+00:00"},
            "amount": {"S": f"{number}.50"} if old else {"N": f"{number}.50"},
            "Active": {"S": "Y"} if old else {"BOOL": True},
            "tags": _texts("a") if old else {"SS": ["a"]},
            "weird name-1": {"S": "x"},
            "weird.name.1": {"S": "y"},
            "date": {"S": "2024-03-01"},
            "note": {"NULL": True},
            **(
                {"address": {"S": "one line"}} if old else {"address": {"M": {"line1": {"S": "x"}}}}
            ),
        }


def blobs(count: int = 80) -> Iterator[Item]:
    """Binaries and sets of every kind."""
    source = random.Random(6)
    for number in range(count):
        raw = bytes(source.randrange(256) for _ in range(8))
        yield {
            "_type": {"S": "thumbnail" if number % 2 else "document"},
            "pk": {"S": f"BLOB#{number:08d}"},
            "body": {"B": b2a_base64(raw, newline=False).decode()},
            "checksums": {"BS": ["AP8=", "AQI="]},
            "sizes": {"NS": ["1", "2"]},
            "ratios": {"NS": ["1.5", "2"]},
            "owners": {"SS": [_uuid(source), _uuid(source)]},
            **({"pages": {"N": "3"}} if number % 2 == 0 else {"width": {"N": "640"}}),
        }


TABLES: dict[str, Callable[..., Iterator[Item]]] = {
    "single_table": single_table,
    "iot": iot,
    "sessions": sessions,
    "shop": shop,
    "legacy": legacy,
    "blobs": blobs,
}
