"""Exports as DynamoDB writes them, with values of our own: S3DataExport.Output.html (developer
guide).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/Shelf"
EXPORT_ID = "01770000000000-0a1b2c3d"


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"PK": {"S": f"Book#{number:05d}"}, "n": {"N": str(number)}, **more}


def lines_of(count: int, start: int = 0) -> list[str]:
    return [json.dumps({"Item": item(number)}) for number in range(start, start + count)]


def write_export(
    root: Path,
    files: Sequence[Sequence[str]],
    *,
    prefix: str = "daily/",
    output: str = "DYNAMODB_JSON",
    incremental: bool = False,
    **summary: Any,
) -> Path:
    """Write an export below ``root`` as a bucket would hold it; gives its manifests' folder."""
    base = root / prefix / "AWSDynamoDB"
    folder = base / EXPORT_ID
    data = base / "data" if incremental else folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    listed = []
    for index, lines in enumerate(files):
        name = f"file{index:020d}.{'ion' if output == 'ION' else 'json'}.gz"
        packed = gzip.compress("".join(f"{line}\n" for line in lines).encode())
        (data / name).write_bytes(packed)
        key = f"{prefix}AWSDynamoDB/{'' if incremental else EXPORT_ID + '/'}data/{name}"
        listed.append(
            {
                "itemCount": len(lines),
                "md5Checksum": base64.b64encode(hashlib.md5(packed).digest()).decode(),  # noqa: S324
                "etag": "0123456789abcdef0123456789abcdef-1",
                "dataFileS3Key": key,
            }
        )
    times = (
        {
            "exportType": "INCREMENTAL_EXPORT",
            "exportFromTime": "2026-02-02T02:00:00Z",
            "exportToTime": "2026-02-02T03:00:00Z",
            "outputView": "NEW_AND_OLD_IMAGES",
        }
        if incremental
        else {"exportTime": "2026-02-02T02:40:00.123Z"}
    )
    (folder / "manifest-summary.json").write_text(
        json.dumps(
            {
                "version": "2020-06-30",
                "exportArn": f"{TABLE_ARN}/export/{EXPORT_ID}",
                "startTime": "2026-02-02T02:41:00.000Z",
                "endTime": "2026-02-02T02:50:00.000Z",
                "tableArn": TABLE_ARN,
                "tableId": "00000000-0000-4000-8000-000000000001",
                **times,
                "s3Bucket": "exports",
                "s3Prefix": prefix.rstrip("/"),
                "s3SseAlgorithm": "AES256",
                "s3SseKmsKeyId": None,
                "manifestFilesS3Key": f"{prefix}AWSDynamoDB/{EXPORT_ID}/manifest-files.json",
                "billedSizeBytes": 0,
                "itemCount": sum(map(len, files)),
                "outputFormat": output,
                **summary,
            }
        )
    )
    (folder / "manifest-files.json").write_text(
        "".join(f"{json.dumps(entry)}\n" for entry in listed)
    )
    return folder
