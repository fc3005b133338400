"""The MultiLangDaemon's jars: fetched once from Maven Central, and checked.

amazon-kclpy carries no jars: its source distribution fetches them while pip builds it, and fails to
build where Maven Central is out of reach. So the extra ``kcl`` does without amazon-kclpy, and the
jars are fetched here, when they are first needed, or with ``ddbstream kcl fetch`` while an image is
built.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import click

from ddbstream.cli._standard_streams import complain
from ddbstream.testing._cache import cache_folder

__all__ = ["KCL", "Jar", "classpath", "fetch", "find_java", "jars"]

KCL = "3.1.3"
"""The version of the Kinesis Client Library; ``kcl_jars.txt`` lists what belongs to it."""

MAVEN = "https://repo1.maven.org/maven2/"
_AT_ONCE = 8
_SECONDS = 60.0


class Jar(NamedTuple):
    """A file of Maven Central.

    Attributes:
        path: Where it is there.
        sha256: Its digest, in hexadecimal.
    """

    path: str
    sha256: str

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.path.rpartition("/")[2]


def jars() -> list[Jar]:
    """All that the daemon needs."""
    text = resources.files("ddbstream.cli").joinpath("kcl_jars.txt").read_text(encoding="utf-8")
    lines = [line.split() for line in text.splitlines() if line and not line.startswith("#")]
    return [Jar(path, digest) for digest, path in lines]


def classpath(folder: Path | None) -> str:
    """Java's class path for the daemon: a folder's jars, or those of the cache, fetched if need be.

    Raises:
        ClickException: The folder has no daemon in it, or the jars cannot be fetched.
    """
    if folder is None:
        folder = fetch(cache())
    elif not any(folder.glob("amazon-kinesis-client-multilang-*.jar")):
        raise click.ClickException(f"{folder}: there is no amazon-kinesis-client-multilang-*.jar")
    return str(folder.resolve() / "*")


def cache() -> Path:
    """Where the jars are kept: ``DDBSTREAM_CACHE``, else the user's folder for caches."""
    return cache_folder() / f"kcl-{KCL}"


def fetch(folder: Path) -> Path:
    """Have every jar in the folder, each with the digest that it has to have.

    Files that are there already are not read again: they came in whole, under their own name.

    Raises:
        ClickException: One cannot be fetched, or is another file than it was when this was tested.
    """
    missing = [jar for jar in jars() if not (folder / jar.name).is_file()]
    if not missing:
        return folder
    complain(f"fetching {len(missing)} jars of the KCL {KCL} into {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder) as scratch, ThreadPoolExecutor(_AT_ONCE) as threads:
        for jar, fetched in zip(
            missing, threads.map(lambda jar: _fetch(jar, Path(scratch)), missing), strict=True
        ):
            fetched.replace(folder / jar.name)
    return folder


def _fetch(jar: Jar, scratch: Path) -> Path:
    url = os.environ.get("DDBSTREAM_MAVEN_URL", MAVEN).rstrip("/") + "/" + jar.path
    if not url.startswith(("https://", "http://")):
        raise click.ClickException("DDBSTREAM_MAVEN_URL takes an http or https address")
    target = scratch / jar.name
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer, target.open("wb") as file:  # noqa: S310 - http or https
            shutil.copyfileobj(answer, file)
    except OSError as error:
        raise click.ClickException(
            f"{url}: {error}; DDBSTREAM_MAVEN_URL names a mirror, --jars a folder that has them"
        ) from None
    if hashlib.sha256(target.read_bytes()).hexdigest() != jar.sha256:
        raise click.ClickException(f"{url}: this is not the file that ddbstream was tested with")
    return target


def find_java(given: str | None) -> str:
    """The Java to start: the one given, that of ``JAVA_HOME``, or the one on the PATH.

    Raises:
        ClickException: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    for candidate in (given, str(Path(home) / "bin" / "java") if home else None, "java"):
        if candidate is not None and (found := shutil.which(candidate)):
            return found
        if candidate is not None and candidate == given:
            break
    raise click.ClickException(
        "the MultiLangDaemon needs Java 8 or newer: on the PATH, in JAVA_HOME, or by --java"
    )
