"""What a machine lacks is skipped where a person looks on, and fails where nobody does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.missing import missing


def test_a_laptop_skips_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no java"):
        missing("no java")


def test_ci_fails_and_says_what_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no java"):
        missing("no java")


def test_without_java_there_is_no_dynamodb_local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="Java 17"):
        DynamoDBLocal(tmp_path)
