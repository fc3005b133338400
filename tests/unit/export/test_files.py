"""The records of a data file: streamed, typed like any other record, believed when checked."""

from __future__ import annotations

import dataclasses
import gzip
import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ddbstream import Insert, Modify, Remove
from ddbstream._records import MalformedRecord
from ddbstream.exceptions import ExportError, MissingImageError, RecordError
from ddbstream.export import ExportFile, open_export, read_records
from tests.unit.export.exports import TABLE_ARN, item, lines_of, write_export

KEYS = {"PK": {"S": "Book#1"}}
METADATA = {"WriteTimestampMicros": {"N": "1770000000123456"}}


def first(tmp_path: Path, lines: list[str], **options: Any) -> ExportFile:
    return open_export(write_export(tmp_path, [lines], **options)).files[0]


def test_a_full_exports_items_are_inserts(tmp_path: Path) -> None:
    record = next(read_records(first(tmp_path, lines_of(1))))
    assert type(record) is Insert
    assert record.new == {"PK": "Book#00000", "n": 0}
    assert (record.event_source_arn, record.table_name) == (TABLE_ARN, "Shelf")
    assert record.stream_view_type == "NEW_IMAGE"
    assert record.approximate_creation_ns == 1_770_000_000_123_000_000
    assert record.sequence_number is record.event_id is None


def test_keys_are_those_that_were_named(tmp_path: Path) -> None:
    file = first(tmp_path, lines_of(2))
    assert [record.keys for record in read_records(file, keys=["PK"])] == [
        {"PK": "Book#00000"},
        {"PK": "Book#00001"},
    ]
    with pytest.raises(RecordError, match="at Keys"):
        next(read_records(file)).keys  # noqa: B018


def test_an_incremental_exports_lines_are_changes(tmp_path: Path) -> None:
    old, new = item(1, price={"N": "10"}), item(1, price={"N": "12.50"})
    images: list[Any] = [
        {"NewImage": new},
        {"OldImage": old, "NewImage": new},
        {"OldImage": old},
        {},
    ]
    lines = [json.dumps({"Metadata": METADATA, "Keys": KEYS, **image}) for image in images]
    records = list(read_records(first(tmp_path, lines, incremental=True)))
    assert [type(record) for record in records] == [Insert, Modify, Remove, Remove]
    assert str(records[1].diff) == "price: 10 -> 12.50"
    assert {record.approximate_creation_ns for record in records} == {1_770_000_000_123_456_000}
    assert {record.keys["PK"] for record in records} == {"Book#1"}
    with pytest.raises(MissingImageError, match="NEW_AND_OLD_IMAGES"):
        records[3].old  # type: ignore[attr-defined]  # noqa: B018


def test_ion_is_read_like_json(tmp_path: Path) -> None:
    lines = ['$ion_1_0 {Item:{PK:"Book#1",n:6d2,tags:$dynamodb_SS::["a"],raw:{{AAE=}}}}']
    record = next(read_records(first(tmp_path, lines, output="ION")))
    assert isinstance(record, Insert)
    assert record.new == {"PK": "Book#1", "n": 600, "tags": {"a"}, "raw": b"\x00\x01"}


def test_each_record_is_named_by_its_file_and_line(tmp_path: Path) -> None:
    named = [record.item_identifier for record in read_records(first(tmp_path, lines_of(2)))]
    assert named[0] is not None
    assert named[0].startswith("AWSDynamoDB/")
    assert [name[-2:] for name in named if name] == [":1", ":2"]


def test_a_copy_names_them_the_same(tmp_path: Path) -> None:
    """Progress that was kept for one copy holds for another."""
    one, two = first(tmp_path / "1", lines_of(1)), first(tmp_path / "2", lines_of(1), prefix="x/")
    assert next(read_records(one)).item_identifier == next(read_records(two)).item_identifier


def test_lines_may_be_passed_over(tmp_path: Path) -> None:
    file = first(tmp_path, lines_of(5))
    assert [record.keys["PK"][-1] for record in read_records(file, skip=3, keys=["PK"])] == [
        "3",
        "4",
    ]
    assert list(read_records(file, skip=5)) == []


def test_records_come_while_the_file_is_read(tmp_path: Path) -> None:
    file = first(tmp_path, lines_of(2))
    broken = Path(file.location)
    broken.write_bytes(gzip.compress("\n".join(lines_of(50_000)).encode())[:-2000])
    records = read_records(file)
    assert type(next(records)) is Insert


@pytest.mark.parametrize(
    "line",
    [
        "hunter2",
        "{",
        "[]",
        "7",
        "{}",
        '{"password": "hunter2"}',
        '{"Item": []}',
        "\x00",
        '{"Metadata": 7, "Keys": {}}',
    ],
)
@pytest.mark.parametrize("output", ["DYNAMODB_JSON", "ION"])
def test_a_line_that_is_none_is_malformed_in_its_place(
    tmp_path: Path, line: str, output: str
) -> None:
    good = '$ion_1_0 {Item:{PK:"a"}}' if output == "ION" else lines_of(1)[0]
    before, bad, after = read_records(first(tmp_path, [good, line, good], output=output))
    assert type(before) is type(after) is Insert
    assert isinstance(bad, MalformedRecord)
    assert bad.error.path is not None
    assert bad.error.path.startswith("line 2")
    assert "hunter2" not in str(bad.error)
    assert str(bad.item_identifier).endswith(":2")


def test_blank_lines_are_nothing(tmp_path: Path) -> None:
    file = first(tmp_path, lines_of(2))
    data = ("\n\n".join(lines_of(2)) + "\n\n").encode()
    Path(file.location).write_bytes(gzip.compress(data))
    assert len(list(read_records(dataclasses.replace(file, md5=None)))) == 2


class TestFaults:
    def test_a_missing_file(self, tmp_path: Path) -> None:
        file = first(tmp_path, lines_of(1))
        Path(file.location).unlink()
        with pytest.raises(ExportError, match=r"json\.gz cannot be read"):
            list(read_records(file))

    def test_a_file_that_was_cut_off(self, tmp_path: Path) -> None:
        file = first(tmp_path, lines_of(100))
        path = Path(file.location)
        for cut in (1, 8, 100):
            path.write_bytes(path.read_bytes()[:-cut])
            with pytest.raises(ExportError, match="damaged or incomplete"):
                list(read_records(file))

    def test_a_file_that_is_no_gzip(self, tmp_path: Path) -> None:
        file = first(tmp_path, lines_of(1))
        Path(file.location).write_text("hunter2")
        with pytest.raises(ExportError, match="damaged") as caught:
            list(read_records(file))
        assert "hunter2" not in str(caught.value)

    def test_another_file_than_the_manifest_means(self, tmp_path: Path) -> None:
        file = first(tmp_path, lines_of(2))
        Path(file.location).write_bytes(gzip.compress("\n".join(lines_of(2, 7)).encode()))
        with pytest.raises(ExportError, match="MD5"):
            list(read_records(file))
        assert len(list(read_records(file, verify=False))) == 2

    def test_bytes_behind_the_end_are_part_of_the_checksum(self, tmp_path: Path) -> None:
        file = first(tmp_path, lines_of(2))
        path = Path(file.location)
        path.write_bytes(path.read_bytes() + b"\x00" * 100_000)
        with pytest.raises(ExportError, match="MD5"):
            list(read_records(file))

    def test_another_number_of_lines_than_the_manifest_says(self, tmp_path: Path) -> None:
        file = dataclasses.replace(first(tmp_path, lines_of(2)), item_count=3)
        with pytest.raises(ExportError, match="2 lines, and the manifest says 3"):
            list(read_records(file))

    def test_a_download_that_breaks_off(self, tmp_path: Path) -> None:
        packed = Path(first(tmp_path, lines_of(20_000)).location).read_bytes()

        class Body(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 20_000:
                    raise ConnectionResetError("hunter2")
                return super().read(size)

        class S3:
            def get_object(self, **_: Any) -> Any:
                return {"Body": Body(packed)}

        records = read_records(ExportFile("s3://b/k", 20_000), s3_client=S3())
        assert type(next(records)) is Insert
        with pytest.raises(ExportError, match="ConnectionResetError") as caught:
            list(records)
        assert "hunter2" not in str(caught.value)


def test_a_file_of_any_size_takes_little_memory(tmp_path: Path) -> None:
    """20 MB of lines, 1 KB each."""
    path = tmp_path / "big.json.gz"
    filler = {"S": "x" * 1000}
    with gzip.open(path, "wt", compresslevel=1) as stream:
        for start in range(0, 20_000, 1000):
            stream.write(
                "".join(
                    json.dumps({"Item": item(number, filler=filler)}) + "\n"
                    for number in range(start, start + 1000)
                )
            )
    tracemalloc.start()
    count = sum(1 for _ in read_records(ExportFile(str(path), 20_000)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 20_000
    assert peak < 2_000_000
