"""amazon-kclpy's Python side, which is never installed: see ``pyproject.toml``, the extra ``kcl``.

Its source distribution builds only where all of its jars can be fetched. The Python in it needs no
build, so it is unpacked into ``.cache/`` (ignored by git) when first needed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from tests.support.missing import missing

VERSION = "3.2.0"
SHA256 = "62e81cc84714c920fe6aa5d61837b298fe7e01f6326dcb564b12ab8e6c4aca4e"
CACHE = Path(__file__).parents[2] / ".cache" / "kclpy" / VERSION


def fetch() -> Path:
    """The folder that has the package ``amazon_kclpy`` in it, for ``PYTHONPATH``."""
    if not CACHE.exists():
        CACHE.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE.parent) as scratch:
            _unpack(_download(Path(scratch)), Path(scratch) / "unpacked")
            try:
                (Path(scratch) / "unpacked" / f"amazon_kclpy-{VERSION}").rename(CACHE)
            except OSError:  # another worker of pytest was first
                if not CACHE.exists():
                    raise
    return CACHE


def _download(folder: Path) -> Path:
    arguments = ["download", "--quiet", "--no-deps", "--no-binary", ":all:"]
    pip = [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):  # an environment that uv has made has no pip
        pip = [uv, "tool", "run", "pip"]
    done = subprocess.run(
        [*pip, *arguments, "--dest", str(folder), f"amazon-kclpy=={VERSION}"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        missing(f"pip could not fetch amazon-kclpy {VERSION}: {done.stderr.strip()[-500:]}")
    (archive,) = folder.glob("*.tar.gz")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        raise RuntimeError(f"amazon-kclpy {VERSION} is not the file this project was tested with")
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        opened.extractall(folder)  # noqa: S202 - its digest is known
