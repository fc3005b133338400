"""Every checkpoint store keeps every promise of the contract."""

from __future__ import annotations

import gc
import json
import sqlite3

import pytest

from ddbstream.exceptions import CheckpointError
from ddbstream.poller import (
    After,
    DynamoDBCheckpoints,
    FileCheckpoints,
    MemoryCheckpoints,
    SQLiteCheckpoints,
)
from ddbstream.testing.checkpoint_stores import CheckpointStoreConformance

ARN = "arn:aws:dynamodb:us-east-1:000000000000:table/T/stream/now"


class TestMemory(CheckpointStoreConformance):
    store = MemoryCheckpoints()

    def open(self):
        return self.store


class TestFile(CheckpointStoreConformance):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "positions.json"

    def open(self):
        return FileCheckpoints(self.path)

    def test_the_file_tells_people_where_the_reader_is(self):
        store, lease = self._acquired()
        store.save(lease, "shard", After("17", 1_700_000_000.0))
        content = json.loads(self.path.read_text())
        assert content["version"] == 1
        position = content["streams"][lease.stream_arn]["positions"]["shard"]
        assert position == {"at": "after", "sequence_number": "17", "time": 1_700_000_000.0}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "[]",
            "{",
            '{"version": 2, "streams": {}}',
            '{"streams": {}}',
            '{"version": 1, "streams": []}',
            '{"version": 1, "streams": {"arn": []}}',
        ],
    )
    def test_a_file_of_another_kind_is_refused_and_kept(self, text):
        self.path.write_text(text)
        with pytest.raises(CheckpointError, match=r"positions\.json"):
            self.open().acquire(ARN, "one", ttl=60)
        assert self.path.read_text() == text

    def test_a_file_of_a_newer_format_is_named_with_both_formats(self):
        self.path.write_text('{"version": 2, "streams": {}}')
        with pytest.raises(CheckpointError, match=r"positions\.json has .*format 2.* format 1"):
            self.open().acquire(ARN, "one", ttl=60)

    def test_a_folder_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(CheckpointError, match=r"none\.json: No such file"):
            FileCheckpoints(tmp_path / "no" / "none.json").acquire(ARN, "one", ttl=60)

    def test_a_crash_while_writing_leaves_the_old_file(self, monkeypatch):
        store, lease = self._acquired()
        store.save(lease, "shard", After("1"))

        def crash(*args):
            raise OSError("no space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", crash)
            with pytest.raises(CheckpointError, match=r"positions\.json: .*"):
                store.save(lease, "shard", After("2"))
        assert dict(store.load(lease).positions) == {"shard": After("1")}


class TestSQLite(CheckpointStoreConformance):
    @pytest.fixture(autouse=True)
    def _path(self, tmp_path):
        self.path = tmp_path / "positions.db"
        self.opened = []
        yield
        for store in self.opened:
            store.close()

    def open(self):
        self.opened.append(SQLiteCheckpoints(self.path))
        return self.opened[-1]

    def test_it_is_closed_when_nobody_holds_it(self, tmp_path):
        db = SQLiteCheckpoints(tmp_path / "other.db")._db
        gc.collect()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            db.execute("SELECT 1")

    def test_a_transaction_that_hangs_does_not_keep_who_closes(self):
        store = SQLiteCheckpoints(self.path, timeout=-1.0)
        with store._lock:
            store.close()
        store.close()
        store.close()
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            store._db.execute("SELECT 1")

    def test_a_file_of_a_newer_format_is_refused(self):
        self.open()
        with sqlite3.connect(self.path) as db:
            db.execute("UPDATE ddbstream_format SET version = 2")
        db.close()
        with pytest.raises(CheckpointError, match=r"positions\.db has .*format 2.* format 1"):
            self.open()

    def test_nothing_is_added_to_a_file_of_a_newer_format(self):
        with sqlite3.connect(self.path) as db:
            db.execute("CREATE TABLE ddbstream_format (version INTEGER NOT NULL)")
            db.execute("INSERT INTO ddbstream_format VALUES (2)")
        with pytest.raises(CheckpointError, match="format 2"):
            self.open()
        assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("ddbstream_format",)]
        db.close()

    def test_a_path_that_cannot_be_opened_is_named(self, tmp_path):
        with pytest.raises(CheckpointError, match=r"none\.db: unable to open"):
            SQLiteCheckpoints(tmp_path / "no" / "none.db")

    def test_a_file_that_is_no_database_is_named(self, tmp_path):
        path = tmp_path / "notes.db"
        path.write_text("no database " * 100)
        with pytest.raises(CheckpointError, match=r"notes\.db: .*not a database"):
            SQLiteCheckpoints(path)

    @pytest.mark.parametrize("text", ["{", "[]", '{"at": "after"}', '{"at": "time", "time": "x"}'])
    def test_a_position_that_is_damaged_is_refused(self, text):
        store, lease = self._acquired()
        store.save(lease, "shard", After("1"))
        store._db.execute("UPDATE ddbstream_position SET position = ?", (text,))
        with pytest.raises(CheckpointError, match="unreadable"):
            store.load(lease)

    def test_a_save_is_flushed_to_the_disk(self):
        store = self.open()
        assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert store._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.dynamodb_local
class TestDynamoDB(CheckpointStoreConformance):
    @pytest.fixture(autouse=True)
    def _table(self, dynamodb_local):
        self.client = dynamodb_local.client("dynamodb")
        self.open().create_table()  # one table for all tests: it is no error that it is there

    def open(self):
        return DynamoDBCheckpoints("ddbstream-checkpoints", client=self.client)

    @pytest.mark.parametrize("call", ["update_item", "query", "scan"])
    def test_an_answer_that_was_cut_off_is_no_empty_table(self, monkeypatch, call):
        store, lease = self._acquired()
        store.save(lease, "shard", After("1"))
        monkeypatch.setattr(self.client, call, lambda **_: {"ResponseMetadata": {}})
        use = {
            "update_item": lambda: store.acquire(lease.stream_arn, "two", ttl=60),
            "query": lambda: store.load(lease),
            "scan": lambda: store.streams_of(lease.stream_arn.partition("/stream/")[0]),
        }
        with pytest.raises(CheckpointError, match=r"ddbstream-checkpoints: .* was cut off"):
            use[call]()

    @pytest.mark.parametrize("takeover", [True, False])
    def test_a_table_of_a_newer_format_is_refused_and_kept(self, takeover):
        store, lease = self._acquired()
        key = {"stream": {"S": lease.stream_arn}, "shard": {"S": "#lease"}}
        self.client.update_item(
            TableName="ddbstream-checkpoints",
            Key=key,
            UpdateExpression="SET format_version = :two",
            ExpressionAttributeValues={":two": {"N": "2"}},
        )
        with pytest.raises(CheckpointError, match=r"ddbstream-checkpoints has .*format 2"):
            store.acquire(lease.stream_arn, "one", ttl=60, takeover=takeover)
        item = self.client.get_item(TableName="ddbstream-checkpoints", Key=key)["Item"]
        assert item["format_version"] == {"N": "2"}
        assert item["epoch"] == {"N": str(lease.epoch)}
