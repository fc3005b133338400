"""An export is somebody else's input: every fault is an `ExportError` that names file and line."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import random
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ReadTimeoutError
from moto import mock_aws

from ddbstream import StreamRouter
from ddbstream._records import MalformedRecord
from ddbstream.exceptions import ExportError
from ddbstream.export import ExportFile, load, open_export, read_records
from tests.unit.export.exports import item, lines_of, write_export

SUMMARY, FILES = "manifest-summary.json", "manifest-files.json"


def altered(root: Path, **changed: Any) -> Path:
    """An export of two files, in whose first line of files something is changed."""
    folder = write_export(root, [lines_of(2), lines_of(1)])
    first, second = (folder / FILES).read_text().splitlines()
    entry = json.loads(first) | changed
    (folder / FILES).write_text(f"{json.dumps(entry)}\n{second}\n")
    return folder


def packed(path: Path, text: str, **more: Any) -> ExportFile:
    path.write_bytes(gzip.compress(text.encode()))
    return ExportFile(str(path), text.count("\n"), **more)


class Broken(io.BytesIO):
    """A body whose end never comes."""

    def read(self, size: int | None = -1) -> bytes:
        raise ReadTimeoutError(endpoint_url="https://b.example")


class TestManifests:
    @pytest.mark.parametrize("kept", [slice(1), slice(1, None), slice(0)])
    def test_a_list_of_files_that_lost_a_line_is_not_whole(
        self, tmp_path: Path, kept: slice
    ) -> None:
        folder = write_export(tmp_path, [lines_of(2), lines_of(1)])
        left = (folder / FILES).read_text().splitlines()[kept]
        (folder / FILES).write_text("".join(f"{line}\n" for line in left) or "[]")
        with pytest.raises(ExportError, match=r"manifest-files\.json is not whole: .* says 3"):
            open_export(folder)

    @pytest.mark.parametrize("name", ["manifest-summary", "manifest-files"])
    @pytest.mark.parametrize("form", ["base64", "hex"])
    def test_a_checksum_beside_a_manifest_is_checked(
        self, tmp_path: Path, name: str, form: str
    ) -> None:
        folder = write_export(tmp_path, [lines_of(2)])
        manifest = folder / f"{name}.json"
        digest = hashlib.md5(manifest.read_bytes(), usedforsecurity=False).digest()
        text = digest.hex() if form == "hex" else base64.b64encode(digest).decode()
        (folder / f"{name}.md5").write_text(f"{text}\n")
        assert open_export(folder).item_count == 2
        manifest.write_text(manifest.read_text() + " ")
        with pytest.raises(ExportError, match=rf"{name}\.json .* its MD5 is not {name}\.md5's"):
            open_export(folder)

    def test_a_checksum_that_is_none_is_named(self, tmp_path: Path) -> None:
        folder = write_export(tmp_path, [lines_of(2)])
        (folder / "manifest-files.md5").write_text("secret")
        with pytest.raises(ExportError, match=r"manifest-files\.md5 holds no MD5") as caught:
            open_export(folder)
        assert "secret" not in str(caught.value)

    def test_checksums_in_s3_are_checked(self, tmp_path: Path) -> None:
        folder = write_export(tmp_path, [lines_of(2)])
        with mock_aws():
            client = boto3.client("s3", region_name="us-east-1")
            client.create_bucket(Bucket="exports")
            for name in (SUMMARY, FILES):
                client.put_object(
                    Bucket="exports", Key=f"x/{name}", Body=(folder / name).read_bytes()
                )
            assert open_export("s3://exports/x", s3_client=client).item_count == 2
            wrong = base64.b64encode(b"\0" * 16)
            client.put_object(Bucket="exports", Key="x/manifest-files.md5", Body=wrong)
            with pytest.raises(ExportError, match="MD5"):
                open_export("s3://exports/x", s3_client=client)

    @pytest.mark.parametrize(
        "key",
        [
            "/etc/passwd",
            "etc/../../passwd",
            "AWSDynamoDB/../../secret",
            "../secret",
            "data/a\0b",
            "data/a\nb",
            "C:\\secret",
            "data\\..\\secret",
            "./x",
            "a//b",
            "9" * 5000,
            "data/" + "9" * 256,
            "",
        ],
    )
    def test_a_name_that_leads_out_of_the_export_is_refused(self, tmp_path: Path, key: str) -> None:
        with pytest.raises(ExportError, match=r"manifest-files\.json, line 1: .* outside"):
            open_export(altered(tmp_path, dataFileS3Key=key))

    def test_a_name_without_the_folder_of_exports_is_looked_for_beside_the_manifest_only(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "secret" / "data").mkdir(parents=True)
        (tmp_path / "secret" / "data" / "x").write_bytes(b"")
        folder = altered(tmp_path, dataFileS3Key="secret/data/x")
        assert open_export(folder).files[0].location == str(folder / "data" / "x")

    @pytest.mark.parametrize(
        "changed",
        [
            {"itemCount": "abc"},
            {"itemCount": -1},
            {"itemCount": True},
            {"itemCount": [2]},
            {"itemCount": 1.5},
            {"md5Checksum": "x"},
            {"md5Checksum": 7},
            {"md5Checksum": ["=="]},
            {"dataFileS3Key": ["a"]},
        ],
    )
    def test_a_line_of_wrong_types_is_named(self, tmp_path: Path, changed: dict[str, Any]) -> None:
        with pytest.raises(ExportError, match=r"manifest-files\.json, line 1: "):
            open_export(altered(tmp_path, **changed))

    @pytest.mark.parametrize(
        "changed",
        [
            {"output": ["ION"]},
            {"output": {"a": 1}},
            {"output": None},
            {"itemCount": "abc"},
            {"itemCount": -1},
            {"itemCount": [3]},
            {"incremental": True, "outputView": ["NEW_IMAGE"]},
            {"incremental": True, "outputView": "OTHER"},
        ],
    )
    def test_a_summary_of_wrong_types_is_named(
        self, tmp_path: Path, changed: dict[str, Any]
    ) -> None:
        with pytest.raises(ExportError, match=r"manifest-summary\.json"):
            open_export(write_export(tmp_path, [lines_of(3)], **changed))

    @pytest.mark.parametrize("when", [[], 10**40, "9" * 5000, 1e300, {"a": 1}])
    def test_a_time_that_is_none_is_left_out(self, tmp_path: Path, when: Any) -> None:
        folder = write_export(tmp_path, [lines_of(3)], exportTime=when)
        assert open_export(folder).exported_at is None

    @pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": ' * 100_000, "\ud800x", "{}\n{"])
    def test_a_manifest_that_is_no_json_is_named(self, tmp_path: Path, text: str) -> None:
        folder = write_export(tmp_path, [lines_of(3)])
        (folder / FILES).write_bytes(text.encode("utf-8", "surrogatepass"))
        with pytest.raises(ExportError, match=r"manifest-files\.json"):
            open_export(folder)

    def test_a_location_that_is_no_path(self) -> None:
        with pytest.raises(ExportError, match="cannot be read"):
            open_export("a\0b")

    @pytest.mark.parametrize("name", [SUMMARY, FILES, "data"])
    def test_a_download_that_breaks_off_is_named(self, tmp_path: Path, name: str) -> None:
        folder = write_export(tmp_path, [lines_of(3)])

        class Bucket:
            def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803 - boto3's
                if name in Key:
                    return {"Body": Broken(b"{}")}
                file = folder / Path(Key).name
                file = file if file.exists() else folder / "data" / file.name
                if not file.exists():
                    raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
                return {"Body": io.BytesIO(file.read_bytes())}

        client = Bucket()
        with pytest.raises(ExportError, match=r"(json|gz) cannot be read: the download broke off"):
            list(
                read_records(
                    *open_export(f"s3://b/{folder}", s3_client=client).files, s3_client=client
                )
            )

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
    @pytest.mark.parametrize("name", [SUMMARY, FILES, "data"])
    def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(
        self, tmp_path: Path, name: str
    ) -> None:
        folder = write_export(tmp_path, [lines_of(3)])
        (first,) = open_export(folder).files
        file = Path(first.location) if name == "data" else folder / name
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(ExportError, match="it is no file"):
            list(read_records(first) if name == "data" else open_export(folder).files)


class TestDataFiles:
    def test_each_flipped_bit_is_an_export_error_or_a_malformed_record(
        self, tmp_path: Path
    ) -> None:
        path = tmp_path / "x.json.gz"
        data = gzip.compress("".join(f"{line}\n" for line in lines_of(200)).encode())
        draw = random.Random(13)
        for _ in range(600):
            broken = bytearray(data)
            broken[draw.randrange(len(broken))] ^= 1 << draw.randrange(8)
            path.write_bytes(broken)
            md5 = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()
            with pytest.raises(ExportError, match=r"x\.json\.gz"):
                list(read_records(ExportFile(str(path), 200, md5)))

    def test_a_line_over_the_limit_is_named_and_not_unpacked(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.json.gz"
        with gzip.open(path, "wb") as stream:
            stream.write(json.dumps({"Item": item(1)}).encode() + b"\n")
            for _ in range(64):
                stream.write(b" " * (1 << 20))
        assert path.stat().st_size < 100_000
        records = read_records(ExportFile(str(path), 2))
        next(records)
        with pytest.raises(ExportError, match=r"bomb\.json\.gz, line 2: .* over 16777216 bytes"):
            list(records)

    @pytest.mark.parametrize("verify", [True, False])
    def test_both_limits_can_be_set(self, tmp_path: Path, *, verify: bool) -> None:
        file = packed(tmp_path / "x.gz", "".join(f"{line}\n" for line in lines_of(3)))
        assert len(list(read_records(file, max_line_bytes=60, max_file_bytes=200))) == 3
        with pytest.raises(ExportError, match=r"x\.gz, line 1: .* 20 bytes"):
            list(read_records(file, max_line_bytes=20, verify=verify))
        with pytest.raises(ExportError, match=r"x\.gz, line 3: .* unpacks to over 120 bytes"):
            list(read_records(file, max_file_bytes=120, verify=verify))
        with pytest.raises(ExportError, match="over 120 bytes"):
            load(file, StreamRouter(), max_file_bytes=120)

    def test_the_largest_item_fits_the_limit_however_it_is_written(self, tmp_path: Path) -> None:
        """400 KB of control characters, of empty texts, of binaries; twice, as two images."""
        size = 400 * 1024
        images = [
            {"x": {"S": "\x01" * size}},
            {"x": {"L": [{"S": ""}] * size}},
            {"x": {"B": base64.b64encode(b"\0" * size).decode()}},
        ]
        for image in images:
            line = {"Metadata": {}, "Keys": {}, "OldImage": image, "NewImage": image}
            file = packed(tmp_path / "x.gz", json.dumps(line, separators=(",", ":")) + "\n")
            assert len(list(read_records(file))) == 1

    def test_more_lines_than_the_manifest_says_end_the_file_at_once(self, tmp_path: Path) -> None:
        file = packed(tmp_path / "x.gz", "".join(f"{line}\n" for line in lines_of(5)))
        file = ExportFile(file.location, 2)
        records = read_records(file)
        assert len([next(records), next(records)]) == 2
        with pytest.raises(ExportError, match="more lines than the 2"):
            next(records)

    @pytest.mark.parametrize(
        "value", ["0x_", "0b_", "0x", "0x" + "f" * 5000, "0b" + "1" * 20_000, "0x1_", "0x1__2"]
    )
    def test_an_ion_number_that_dynamodb_does_not_have_is_a_malformed_record(
        self, tmp_path: Path, value: str
    ) -> None:
        text = f"$ion_1_0 {{Item:{{PK:{value}}}}}\n"
        (record,) = read_records(packed(tmp_path / "x.gz", text, format="ION"))
        assert isinstance(record, MalformedRecord)

    @pytest.mark.parametrize(
        ("value", "number"), [("0xFF", 255), ("-0b1_01", -5), ("0x" + "f" * 31, 16**31 - 1)]
    )
    def test_an_ion_number_in_another_base_is_read(
        self, tmp_path: Path, value: str, number: int
    ) -> None:
        text = f"$ion_1_0 {{Item:{{n:{value}}}}}\n"
        (record,) = read_records(packed(tmp_path / "x.gz", text, format="ION"))
        assert record.new == {"n": number}  # type: ignore[attr-defined]

    def test_progress_that_is_no_number_of_lines_is_named(self, tmp_path: Path) -> None:
        class Odd:
            def load(self, key: str) -> str:
                return "many"

            def save(self, key: str, value: str) -> None: ...

        file = packed(tmp_path / "x.gz", "".join(f"{line}\n" for line in lines_of(1)))
        with pytest.raises(ExportError, match="progress"):
            load(file, StreamRouter(), progress=Odd())

    def test_a_line_of_ion_that_is_no_utf_8_is_a_malformed_record(self, tmp_path: Path) -> None:
        line = '$ion_1_0 {Item:{a:"é"}}\n'
        (tmp_path / "a.gz").write_bytes(gzip.compress(line.encode("latin-1") + line.encode()))
        bad, good = read_records(ExportFile(str(tmp_path / "a.gz"), 2, format="ION"))
        assert isinstance(bad, MalformedRecord)
        assert good.new == {"a": "é"}
