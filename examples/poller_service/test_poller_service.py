"""The service does its work and answers; every platform gives it what it needs to stop in order."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import poller_service
import pytest

from ddbstream.testing import FakeStream

HERE = Path(poller_service.__file__).parent


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    monkeypatch.setenv("TABLE", "Product")
    monkeypatch.setenv("CHECKPOINTS", str(tmp_path / "positions.db"))
    stream = FakeStream("Product")
    stream.put({"PK": {"S": "Product#1"}})
    return poller_service.poller(client=stream, clock=stream.clock)


def test_it_handles_what_is_in_the_stream(watched: Any, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "poller_service")
    watched.run_until_caught_up()
    assert [record.getMessage() for record in caplog.records] == ["INSERT {'PK': 'Product#1'}"]


def test_it_answers_how_it_is(watched: Any):
    watched.run_until_caught_up()
    server = poller_service.serve(watched, 0)
    base = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        metrics = urllib.request.urlopen(f"{base}/metrics", timeout=5).read().decode()
        assert "ddbstream_poller_records_done_total 1" in metrics
        with pytest.raises(urllib.error.HTTPError) as refused:  # it does not run any more
            urllib.request.urlopen(f"{base}/healthz", timeout=5)
        assert refused.value.code == 503
        refused.value.close()
    finally:
        server.shutdown()
        server.server_close()


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(HERE / "poller_service.service")
    return parser["Service"]


def manifests() -> dict[str, dict[str, Any]]:
    yaml = pytest.importorskip("yaml")
    documents = yaml.safe_load_all((HERE / "kubernetes.yaml").read_text())
    return {document["kind"]: document for document in documents}


def ecs() -> dict[str, Any]:
    task: dict[str, Any] = json.loads((HERE / "ecs-task.json").read_text())
    return task


def test_every_platform_waits_longer_than_the_poller_takes_to_stop():
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    assert int(unit()["TimeoutStopSec"]) > poller_service.GRACE
    assert pod["terminationGracePeriodSeconds"] > poller_service.GRACE
    assert ecs()["containerDefinitions"][0]["stopTimeout"] > poller_service.GRACE


def test_no_platform_runs_two_on_purpose():
    spec = manifests()["Deployment"]["spec"]
    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})


def test_every_platform_sets_what_the_service_reads():
    source = Path(poller_service.__file__).read_text()
    wanted = set(re.findall(r'os\.environ(?:\.get\(|\[)"(\w+)"', source))
    container = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    task = ecs()["containerDefinitions"][0]
    named = re.findall(
        r"^Environment=(\w+)=", (HERE / "poller_service.service").read_text(), re.MULTILINE
    )
    assert wanted == {"TABLE", "CHECKPOINTS", "PORT"}
    assert {entry["name"] for entry in container["env"]} >= wanted
    assert {entry["name"] for entry in task["environment"]} >= wanted
    assert set(named) >= wanted


def test_the_image_stops_by_a_signal_to_the_service_itself():
    text = (HERE / "Dockerfile").read_text()
    (command,) = re.findall(r"^CMD (.*)$", text, re.MULTILINE)
    assert json.loads(command) == ["python", "poller_service.py"]  # no shell that keeps SIGTERM
    assert re.search(r"^USER (?!root)\w+", text, re.MULTILINE)


def test_systemd_understands_the_unit(tmp_path: Path):
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("needs systemd-analyze")
    text = (HERE / "poller_service.service").read_text()
    # The program of the unit is not installed here; everything else is as it is deployed.
    text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE)
    (tmp_path / "poller_service.service").write_text(text)
    done = subprocess.run(
        [analyze, "verify", "--man=no", tmp_path / "poller_service.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "poller_service.service" not in done.stderr, done.stderr
