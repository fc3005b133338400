"""DynamoDB Local: AWS's own engine, fetched when it is first needed, and run for a test session.

Its licence forbids passing it on, so it comes from the npm package named below, into the cache, and
is checked against the digest here. It needs Java 17 or newer. ``DDBSTREAM_DYNAMODB_LOCAL`` names a
folder that holds ``DynamoDBLocal.jar`` already, for a machine without npm.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from ddbstream.testing._cache import cache_folder

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]

__all__ = ["Unavailable", "fetched", "free_port", "is_up", "java_flags", "serving"]

PACKAGE: Final = "amplify-dynamodb-simulator@2.9.30"  # holds DynamoDB Local 1.25.1
SHA512: Final = (
    "xTeeRLvzEfqyd5lh3bH4c0kHvSHHmmhD5ZDsHFKAQ5g2Zl6JqlFdutaQhCLHzxEp6Ry1o7TB6niIoXuQAnSewQ=="
)
_FETCH_SECONDS: Final = 600  # 57 MB
_START_SECONDS: Final = 60.0  # takes 2 s when the machine is idle; a loaded one gets time

# Ends Java when this process is gone, however that ended: its end of the pipe closes.
_WATCH: Final = """
import subprocess, sys
server = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
try:
    sys.stdin.buffer.read()
finally:
    server.kill()
    server.wait()
"""


class Unavailable(Exception):
    """DynamoDB Local cannot run here; the message says what is missing."""


def fetched(folder: Path | None = None) -> Path:
    """The folder with the jars, fetched with npm the first time.

    Args:
        folder: Where they are kept; by default in the user's cache.

    Raises:
        Unavailable: There is no npm, or it cannot fetch them, or they are other files.
    """
    if given := os.environ.get("DDBSTREAM_DYNAMODB_LOCAL"):
        return Path(given)
    folder = folder or cache_folder() / "dynamodb-local" / "1.25.1"
    if (folder / "DynamoDBLocal.jar").exists():
        return folder
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable(
            "DynamoDB Local is fetched with npm, which is not on the PATH; "
            "DDBSTREAM_DYNAMODB_LOCAL names a folder that has DynamoDBLocal.jar"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _only_one(folder.parent / "lock"):
        if not (folder / "DynamoDBLocal.jar").exists():
            _download(npm, folder)
    return folder


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    """Pytest's workers all come here at once: one downloads, the others wait for it."""
    with lock.open("w") as file:
        if fcntl is not None:  # else several download, and the last rename wins
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _download(npm: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        # The tarball alone: `npm install` would bring two hundred packages that only wrap the jar.
        done = subprocess.run(  # noqa: S603 - npm, as found on the PATH
            [npm, "pack", PACKAGE, "--silent", "--pack-destination", scratch],
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
            check=False,
        )
        if done.returncode:
            raise Unavailable(f"npm could not fetch {PACKAGE}: {done.stderr.strip()[-500:]}")
        (tarball,) = Path(scratch).glob("*.tgz")
        digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
        if digest != SHA512:
            raise Unavailable(f"{PACKAGE} is not the file that ddbstream was tested with")
        with tarfile.open(tarball) as archive:
            wanted = [
                entry
                for entry in archive.getmembers()
                if entry.name.startswith("package/emulator/") and entry.isfile()
            ]
            archive.extractall(scratch, members=wanted)  # noqa: S202 - its digest is known
        (Path(scratch) / "package" / "emulator").rename(folder)


@contextmanager
def serving(jars: Path) -> Iterator[str]:
    """A server in memory while this is open; gives its URL.

    Raises:
        Unavailable: There is no Java, or it is too old.
    """
    java = shutil.which("java")
    if java is None:
        raise Unavailable("DynamoDB Local needs Java 17 or newer, and no java is on the PATH")
    port, jars = free_port(), jars.resolve()
    command = [
        *(sys.executable, "-c", _WATCH),
        *(java, *java_flags(jars)),
        *("-jar", str(jars / "DynamoDBLocal.jar"), "-inMemory", "-port", str(port)),
    ]
    # It leaves a file in the folder where it runs.
    with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as log:
        process = subprocess.Popen(  # noqa: S603 - Java, as found on the PATH
            command, cwd=scratch, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            if not is_up(process, port):
                log.seek(0)
                said = log.read().decode(errors="replace")[-2000:]
                raise Unavailable(f"DynamoDB Local did not start (Java 17 or newer?):\n{said}")
            yield f"http://127.0.0.1:{port}"
        finally:
            with suppress(OSError):
                process.communicate(timeout=10)


def java_flags(jars: Path) -> list[str]:
    """What Java is started with, whatever class of the emulator's it runs."""
    return [
        # It lives only a few minutes: a simple collector and a quick compiler start it sooner.
        *("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        f"-Djava.library.path={jars / 'DynamoDBLocal_lib'}",
        "-DDDBLocalTelemetry=0",
    ]


def is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until a server takes connections; False if it ends before, or takes too long."""
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        time.sleep(0.05)
    return False


def free_port() -> int:
    """A port of this machine that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
