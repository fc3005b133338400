"""Items and payloads made of bytes: near-valid ones mostly, and anything at all now and then."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

NAMES = [*"abcdefghijkmnopqr", "bC", "PK", "SK", "GSI", "kind", "x", "y", "lives", "name", ""]
TEXTS = [
    "",
    "a",
    "r",
    "cat",
    "dog",
    "S",
    "S#",
    "s-r",
    "0007",
    "{x}a#7#",
    "P#12345678-1234-5678-1234-567812345678",
    "12345678-1234-5678-1234-567812345678",
    "2026-11-23T06:00:00Z",
    "2026-11-23T06:00:00.123456789+01:00",
    "2026-11-23",
    "06:00:00",
    "PT1H",
    "P1D",
    "YQ==",
    "YQ=",
    "\ud800",
    "é",
]
NUMBERS = [
    "0",
    "-0",
    "1",
    "2",
    "-7",
    "1.5",
    "1E+125",
    "9" * 38,
    "9" * 39,
    "1e-130",
    "1e999999",
    "1e99999999999999999999999",
    "NaN",
    "-sNaN123",
    "Infinity",
    "1_0",
    " 1",
    "",
    "0x1",
    "\u0664",
    "1635734407123456789",
    "1635734407",
    "1" * 5000,
]


class Odd(Mapping[str, Any]):
    """A mapping that breaks its promises."""

    def __init__(self, how: int) -> None:
        self.how = how

    def __getitem__(self, name: object) -> Any:
        if self.how == 0:
            raise RuntimeError("secret")
        return self

    def __iter__(self) -> Any:
        return iter(["S"])

    def __len__(self) -> int:
        return 1

    def get(self, name: object, default: Any = None) -> Any:
        return self[name]


class Source:
    """Bytes, taken one decision at a time; past their end every decision is 0."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0
        self.from_json = False

    def byte(self, below: int = 256) -> int:
        value = self.data[self.at] if self.at < len(self.data) else 0
        self.at += 1
        return value % below

    def pick(self, choices: Any) -> Any:
        return choices[self.byte(len(choices))]

    def text(self) -> str:
        if self.byte(8):
            return str(self.pick(TEXTS))
        raw = bytes(self.byte() for _ in range(self.byte(12)))
        return raw.decode("latin-1")

    def number(self) -> Any:
        kind = self.byte(12)
        if kind == 0:
            return self.pick([1, 1.5, True, None, Decimal("1.5"), float("nan"), 10**400, "x", b"1"])
        if kind == 1:
            return "".join(chr(32 + self.byte(90)) for _ in range(self.byte(8)))
        return self.pick(NUMBERS)

    def binary(self) -> Any:
        kind = self.byte(6)
        if kind == 0:
            return self.text()
        if kind == 1:
            return self.pick([bytearray(b"a"), memoryview(b"a"), None, 5, ["YQ=="]])
        return self.pick([b"", b"ab", "YWI=", "", b"\x00" * 40])

    def anything(self) -> Any:
        choices = [None, 0, 1.5, "", "S", b"", [], {}, (), set(), True, object(), {"S": 1}]
        if not self.from_json:
            choices += [Odd(0), Odd(1)]
        return self.pick(choices)

    def value(self, depth: int = 0) -> Any:  # noqa: C901 - one line a tag
        kind = self.byte(16)
        if kind <= 2:
            return {"S": self.text()}
        if kind <= 4:
            return {"N": self.number()}
        if kind == 5:
            return {"B": self.binary()}
        if kind == 6:
            return {"BOOL": self.pick([True, False, "true", 0])}
        if kind == 7:
            return {"NULL": self.pick([True, False, True, None])}
        if kind == 8 and depth < 60:
            return {"L": [self.value(depth + 1) for _ in range(self.byte(4))]}
        if kind == 9 and depth < 60:
            return {"M": self.item(depth + 1)}
        if kind == 10:
            return {"SS": [self.text() for _ in range(self.byte(4))]}
        if kind == 11:
            return {"NS": [self.number() for _ in range(self.byte(4))]}
        if kind == 12:
            return {"BS": [self.binary() for _ in range(self.byte(4))]}
        if kind == 13:
            return {self.pick(["S", "N", "L", "M", "XX", "", 5, None]): self.anything()}
        if kind == 14:
            return {"S": self.text(), self.pick(["N", "S", "NULL", "zz"]): self.number()}
        deep: Any = {"S": "x"}
        for _ in range(self.pick([1, 31, 32, 33, 34, 2000])):
            deep = {"L": [deep]} if self.byte(2) else {"M": {"b": deep}}
        return deep if self.byte(2) else self.anything()

    def item(self, depth: int = 0) -> Any:
        if self.byte(40) == 39:
            return self.anything()
        return {self.pick(NAMES): self.value(depth) for _ in range(self.byte(8))}

    def payload(self) -> Any:
        self.from_json = True
        record: dict[str, Any] = {
            "eventID": self.pick(["1", 5, None]),
            "eventName": self.pick(["INSERT", "MODIFY", "REMOVE", "insert", None, 7]),
            "eventSourceARN": self.pick(
                ["arn:aws:dynamodb:eu-west-1:123456789012:table/T/stream/2026", "x", None, 5]
            ),
            "dynamodb": {
                "Keys": self.item(),
                "NewImage": self.item(),
                "OldImage": self.item(),
                "SequenceNumber": self.pick(["1", "x", 5, None]),
                "ApproximateCreationDateTime": self.pick([1, 1.5, "x", None, 1e30, "2026-01-01"]),
                "StreamViewType": self.pick(["NEW_AND_OLD_IMAGES", "KEYS_ONLY", None, 5]),
            },
        }
        for _ in range(self.byte(3)):
            record.pop(self.pick([*record, "eventID"]), None)
            change = record.get("dynamodb")
            if isinstance(change, dict) and change:
                change.pop(self.pick(list(change)), None)
        if self.byte(10) == 9:
            record[self.pick([*record, "x"])] = self.anything()
        shape = self.byte(6)
        if shape == 0:
            return {"Records": [record, record]}
        if shape == 1:
            return [record]
        if shape == 2:
            return {"Records": self.anything()}
        if shape == 3:
            return {self.pick(["Records", "Items", "x"]): [record, self.anything()]}
        return {"Records": [record]} if shape == 4 else self.anything()
