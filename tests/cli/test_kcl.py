"""``ddbstream kcl``: the properties, the jars and the daemon's life."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ddbstream.cli import _kcl_jars

ALL = ("--stream", "changes", "--application", "fleet")

# A Java that notes what it was started with, and ends as it is told to.
JAVA = """\
#!{python}
import pathlib, shutil, signal, sys, time
folder = pathlib.Path({folder!r})
arguments = sys.argv[1:]
shutil.copy(arguments[arguments.index("--properties-file") + 1], folder / "seen.properties")
with (folder / "started.txt").open("a") as file:
    file.write(" ".join(arguments) + "\\n")
mode = (folder / "mode").read_text() if (folder / "mode").exists() else "wait"
if mode.startswith("exit "):
    sys.exit(int(mode.split()[1]))
def stop(number, frame):
    (folder / "told.txt").open("a").write("TERM\\n")
    if mode != "deaf":
        sys.exit(143)
signal.signal(signal.SIGTERM, stop)
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def app(tmp_path):
    (tmp_path / "app.py").write_text(
        "from ddbstream import StreamRouter\n"
        "from ddbstream.kcl import RecordProcessor\n"
        "router = StreamRouter()\n"
        "router.on_change()(print)\n"
        "processor = RecordProcessor(router, on_failure='skip')\n"
        "nothing = 3\n"
    )
    jars = tmp_path / "jars"
    jars.mkdir()
    (jars / "amazon-kinesis-client-multilang-3.1.3.jar").touch()
    java = tmp_path / "java"
    java.write_text(JAVA.format(python=sys.executable, folder=str(tmp_path)))
    java.chmod(0o755)
    return tmp_path


def parsed(text):
    return dict(re.fullmatch(r"(\S+) = (.*)", line).groups() for line in text.splitlines())


def printed(run, *arguments):
    done = run("kcl", "properties", "app:router", *ALL, *arguments)
    assert done.returncode == 0, done.stderr
    return parsed(done.stdout)


def test_properties_prints_what_the_daemon_is_given(app, run):
    found = printed(run)
    assert found["executableName"] == f"{sys.executable} -m ddbstream.kcl app:router"
    assert found["streamName"] == "changes"
    assert found["applicationName"] == "fleet"
    assert found["initialPositionInStream"] == "TRIM_HORIZON"
    assert found["AwsCredentialsProvider"] == "DefaultCredentialsProvider"
    # Without it the daemon leaves at once, with nothing checkpointed.
    assert found["shutdownGraceMillis"] == "20000"
    # Without it an idle shard's last records wait for a checkpoint until more come.
    assert found["callProcessRecordsEvenForEmptyRecordList"] == "true"
    assert "metricsLevel" not in found


def test_every_option_an_operator_needs_becomes_a_property(app, run):
    found = printed(
        run,
        *("--region", "eu-west-1", "--worker-id", "w1", "--no-metrics", "--grace", "5"),
        *("--kinesis-endpoint", "http://127.0.0.1:1", "--dynamodb-endpoint", "http://127.0.0.1:2"),
        *("--initial-position", "2026-01-31T12:00:00Z", "--set", "failoverTimeMillis = 3000"),
        *("--concurrency", "4", "--on-failure", "skip", "--checkpoint-records", "10"),
        *("--checkpoint-seconds", "1.5"),
    )
    assert found["regionName"] == "eu-west-1"
    assert found["workerId"] == "w1"
    assert found["metricsLevel"] == "NONE"
    assert found["shutdownGraceMillis"] == "5000"
    assert found["kinesisEndpoint"] == "http://127.0.0.1:1"
    assert found["dynamoDBEndpoint"] == "http://127.0.0.1:2"
    assert found["initialPositionInStreamExtended"] == "1769860800"
    assert "initialPositionInStream" not in found
    assert found["failoverTimeMillis"] == "3000"
    assert found["executableName"].endswith(
        "app:router --concurrency 4 --on-failure skip --checkpoint-records 10"
        " --checkpoint-seconds 1.5"
    )


def test_a_streams_arn_is_told_to_the_daemon_and_to_the_records(app, run):
    arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/changes"
    done = run("kcl", "properties", "app.router", "--stream", arn, "--application", "fleet")
    found = parsed(done.stdout)
    assert found["streamArn"] == arn
    assert "streamName" not in found
    assert found["executableName"].endswith(f"app:router --stream-arn {arn}")


def test_a_value_is_written_as_java_reads_it(app, run):
    done = run("kcl", "properties", "app:router", *ALL, "--set", "tableName=a\\b ü 🙂\udcff")
    assert "tableName = a\\\\b \\u00fc \\ud83d\\ude42\\udcff\n" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("app:nothing", *ALL), "no StreamRouter"),
        (("app:processor", *ALL, "--concurrency", "2"), "has its options already"),
        (("app:router", *ALL, "--set", "what"), "KEY=VALUE"),
        (("app:router", "--stream", "a b", "--application", "f"), None),
        (("app:router", "--stream", "changes"), "--application"),
    ],
)
def test_wrong_usage_is_said_in_a_line(app, run, arguments, message):
    done = run("kcl", "properties", *arguments)
    if message is None:
        assert done.returncode == 0
        return
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def start(app, *arguments):
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "ddbstream", "kcl", "run", "app:router", *ALL),
            *("--java", str(app / "java"), "--jars", str(app / "jars"), *arguments),
        ],
        cwd=app,
        env=dict(os.environ),
        stderr=subprocess.PIPE,
        text=True,
    )


def lines(app, name):
    path = app / name
    return path.read_text().splitlines() if path.exists() else []


def until(check, seconds=30):
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_passed_on_and_the_command_waits_for_the_daemon(app, number):
    process = start(app)
    until(lambda: lines(app, "started.txt"))
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert lines(app, "told.txt") == ["TERM"]
    (started,) = lines(app, "started.txt")
    assert started.startswith(f"-cp {app / 'jars' / '*'} software.amazon.kinesis.multilang.")
    assert parsed((app / "seen.properties").read_text())["streamName"] == "changes"


def test_a_second_signal_ends_it_at_once(app):
    (app / "mode").write_text("deaf")
    process = start(app)
    until(lambda: lines(app, "started.txt"))
    process.send_signal(signal.SIGTERM)
    until(lambda: lines(app, "told.txt"))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_a_daemon_that_fails_gives_the_command_its_exit_code(app):
    (app / "mode").write_text("exit 1")
    process = start(app)
    process.communicate(timeout=30)
    assert process.returncode == 1


def test_several_workers_end_together(app):
    process = start(app, "--workers", "2")
    until(lambda: len(lines(app, "started.txt")) == 2)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert lines(app, "told.txt") == ["TERM", "TERM"]


def test_a_machine_without_java_is_told_so(app, run):
    done = run("kcl", "run", "app:router", *ALL, "--java", "no-such-java")
    assert done.returncode == 1
    assert "needs Java" in done.stderr


def test_a_folder_without_the_daemon_is_refused(app, run):
    done = run(
        *("kcl", "run", "app:router", *ALL, "--java", str(app / "java")),
        *("--jars", str(app)),
    )
    assert done.returncode == 1
    assert "amazon-kinesis-client-multilang" in done.stderr


# The jars


@pytest.fixture
def maven(tmp_path, monkeypatch):
    """A repository of two files; its folder."""
    folder = tmp_path / "maven"
    listed = []
    for name in ("one", "two"):
        path = folder / "group" / name / f"{name}.jar"
        path.parent.mkdir(parents=True)
        path.write_text(name)
        digest = hashlib.sha256(name.encode()).hexdigest()
        listed.append(_kcl_jars.Jar(f"group/{name}/{name}.jar", digest))
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    handler.func.log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    monkeypatch.setenv("DDBSTREAM_MAVEN_URL", f"http://127.0.0.1:{server.server_port}/")
    monkeypatch.setattr(_kcl_jars, "jars", lambda: listed)
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_jars_are_fetched_once(maven, tmp_path):
    folder = tmp_path / "cache"
    _kcl_jars.fetch(folder)
    assert names(folder) == ["one.jar", "two.jar"]
    (maven / "group" / "one" / "one.jar").unlink()
    _kcl_jars.fetch(folder)


def test_a_file_of_another_digest_is_refused_and_not_kept(maven, tmp_path):
    (maven / "group" / "two" / "two.jar").write_text("another")
    with pytest.raises(Exception, match=r"two\.jar: this is not the file"):
        _kcl_jars.fetch(tmp_path / "cache")
    assert "two.jar" not in names(tmp_path / "cache")


def test_a_file_that_cannot_be_fetched_says_what_else_to_do(maven, tmp_path):
    (maven / "group" / "one" / "one.jar").unlink()
    with pytest.raises(Exception, match=r"one\.jar: .*404.*--jars"):
        _kcl_jars.fetch(tmp_path / "cache")


def test_the_list_of_jars_has_a_digest_for_each_and_the_daemon_in_it():
    listed = _kcl_jars.jars()
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in listed)
    assert len({jar.name for jar in listed}) == len(listed)
    assert f"amazon-kinesis-client-multilang-{_kcl_jars.KCL}.jar" in {jar.name for jar in listed}
