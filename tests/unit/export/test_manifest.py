"""An export is what its manifests say, wherever it was copied to."""

from __future__ import annotations

import json
import pickle
import shutil
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from ddbstream.exceptions import ExportError
from ddbstream.export import open_export, read_records
from tests.unit.export.exports import EXPORT_ID, TABLE_ARN, lines_of, write_export

FILES = [lines_of(3), lines_of(2, 3), []]


def upload(root: Path, bucket: str) -> Any:
    client = boto3.client("s3", region_name="us-east-1")
    client.create_bucket(Bucket=bucket)
    for path in root.rglob("*"):
        if path.is_file():
            client.upload_file(str(path), bucket, path.relative_to(root).as_posix())
    return client


def test_a_full_export_says_what_it_is(tmp_path: Path) -> None:
    export = open_export(write_export(tmp_path, FILES))
    assert export.arn == f"{TABLE_ARN}/export/{EXPORT_ID}"
    assert (export.table_arn, export.table_name) == (TABLE_ARN, "Shelf")
    assert (export.kind, export.format, export.view_type) == ("full", "DYNAMODB_JSON", "NEW_IMAGE")
    assert export.item_count == 5
    assert export.exported_at == datetime(2026, 2, 2, 2, 40, 0, 123_000, tzinfo=timezone.utc)
    assert export.exported_from is None
    assert [file.item_count for file in export.files] == [3, 2, 0]


def test_an_incremental_export_says_its_span(tmp_path: Path) -> None:
    export = open_export(write_export(tmp_path, FILES, incremental=True))
    assert (export.kind, export.view_type) == ("incremental", "NEW_AND_OLD_IMAGES")
    assert export.exported_from == datetime(2026, 2, 2, 2, tzinfo=timezone.utc)
    assert export.exported_at == datetime(2026, 2, 2, 3, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("said", "view"), [("NEW_IMAGE", "NEW_IMAGE"), ("NEW_IMAGES", "NEW_IMAGE")]
)
def test_its_view_is_named_in_either_spelling(tmp_path: Path, said: str, view: str) -> None:
    """NEW_IMAGES in the API reference's words, NEW_IMAGE in the service's model."""
    folder = write_export(tmp_path, FILES, incremental=True, outputView=said)
    assert open_export(folder).view_type == view


@pytest.mark.parametrize("form", ["folder", "text", "manifest", "manifest text"])
def test_it_opens_by_its_folder_or_its_manifest(tmp_path: Path, form: str) -> None:
    folder = write_export(tmp_path, FILES)
    summary = folder / "manifest-summary.json"
    location = {
        "folder": folder,
        "text": str(folder),
        "manifest": summary,
        "manifest text": str(summary),
    }
    assert open_export(location[form]).item_count == 5


@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("prefix", ["", "daily/", "a/b/"])
def test_files_are_found_in_a_copy_of_the_bucket(
    tmp_path: Path, prefix: str, incremental: bool
) -> None:
    folder = write_export(tmp_path, FILES, prefix=prefix, incremental=incremental)
    export = open_export(folder)
    assert all(Path(file.location).is_file() for file in export.files)
    assert sum(len(list(read_records(file))) for file in export.files) == 5


def test_files_are_found_where_only_the_exports_folder_was_copied(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "bucket", FILES)
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    shutil.rmtree(tmp_path / "bucket")
    assert len(list(read_records(open_export(copy).files[0]))) == 3


def test_a_relative_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_export(tmp_path, FILES)
    monkeypatch.chdir(folder)
    assert len(list(read_records(open_export(".").files[0]))) == 3


@pytest.mark.parametrize("prefix", ["", "daily/"])
@pytest.mark.parametrize("incremental", [False, True])
@pytest.mark.parametrize("form", ["folder", "slash", "manifest"])
def test_files_are_found_in_s3(tmp_path: Path, prefix: str, incremental: bool, form: str) -> None:
    write_export(tmp_path, FILES, prefix=prefix, incremental=incremental)
    tail = {"folder": "", "slash": "/", "manifest": "/manifest-summary.json"}[form]
    with mock_aws():
        client = upload(tmp_path, "another-bucket")
        url = f"s3://another-bucket/{prefix}AWSDynamoDB/{EXPORT_ID}{tail}"
        export = open_export(url, s3_client=client)
        assert export.files[0].location.startswith(f"s3://another-bucket/{prefix}AWSDynamoDB/")
        counts = [len(list(read_records(file, s3_client=client))) for file in export.files]
        assert counts == [3, 2, 0]


def test_a_key_without_its_prefix_is_found_all_the_same(tmp_path: Path) -> None:
    """AWS's own example of the manifest leaves the export's prefix out of the keys."""
    folder = write_export(tmp_path, FILES)
    files = folder / "manifest-files.json"
    files.write_text(files.read_text().replace('"daily/', '"'))
    with mock_aws():
        client = upload(tmp_path, "exports")
        export = open_export(f"s3://exports/daily/AWSDynamoDB/{EXPORT_ID}", s3_client=client)
        assert len(list(read_records(export.files[0], s3_client=client))) == 3


def test_a_client_is_made_if_none_is_given(tmp_path: Path) -> None:
    write_export(tmp_path, FILES)
    with mock_aws():
        upload(tmp_path, "exports")
        export = open_export(f"s3://exports/daily/AWSDynamoDB/{EXPORT_ID}")
        assert len(list(read_records(export.files[0]))) == 3


def test_a_file_goes_to_another_process_as_it_is(tmp_path: Path) -> None:
    file = open_export(write_export(tmp_path, FILES)).files[0]
    assert pickle.loads(pickle.dumps(file)) == file  # noqa: S301


def test_its_text_has_no_list_of_files(tmp_path: Path) -> None:
    assert "file0000" not in repr(open_export(write_export(tmp_path, FILES)))


class TestFaults:
    def test_no_manifest(self, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match=r"manifest-summary\.json cannot be read"):
            open_export(tmp_path)

    def test_no_list_of_files(self, tmp_path: Path) -> None:
        folder = write_export(tmp_path, FILES)
        (folder / "manifest-files.json").unlink()
        with pytest.raises(ExportError, match=r"manifest-files\.json cannot be read"):
            open_export(folder)

    @pytest.mark.parametrize("url", ["s3://nowhere/x", "s3://exports/nowhere"])
    def test_no_such_bucket_or_key(self, url: str) -> None:
        with mock_aws():
            client = boto3.client("s3", region_name="us-east-1")
            client.create_bucket(Bucket="exports")
            with pytest.raises(ExportError, match="NoSuch"):
                open_export(url, s3_client=client)

    def test_another_error_of_the_service_is_the_services(self) -> None:
        class Broken:
            def get_object(self, **_: Any) -> Any:
                raise ConnectionError("down")

        with pytest.raises(ConnectionError):
            open_export("s3://exports/x", s3_client=Broken())

    @pytest.mark.parametrize("text", ["hunter2", "[]", "{}", '{"tableArn": 7}', "\x00"])
    def test_a_summary_that_is_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "manifest-summary.json").write_text(text)
        with pytest.raises(ExportError) as caught:
            open_export(tmp_path)
        assert "hunter2" not in str(caught.value)

    def test_an_output_format_of_the_future(self, tmp_path: Path) -> None:
        with pytest.raises(ExportError, match="not known"):
            open_export(write_export(tmp_path, FILES, output="PARQUET"))

    @pytest.mark.parametrize("line", ['{"itemCount": 1}', '{"dataFileS3Key": 7}', "7"])
    def test_a_file_without_a_name(self, tmp_path: Path, line: str) -> None:
        folder = write_export(tmp_path, FILES)
        (folder / "manifest-files.json").write_text(line)
        with pytest.raises(ExportError, match="names no file"):
            open_export(folder)

    def test_times_that_are_none_are_left_out(self, tmp_path: Path) -> None:
        assert open_export(write_export(tmp_path, FILES, exportTime="soon")).exported_at is None

    def test_a_single_file_is_a_list_of_one(self, tmp_path: Path) -> None:
        folder = write_export(tmp_path, [lines_of(3)])
        listed = json.loads((folder / "manifest-files.json").read_text())
        (folder / "manifest-files.json").write_text(json.dumps(listed))
        assert len(open_export(folder).files) == 1
