"""Builds a release and tries it as a user gets it: ``python3 dev.py dist``.

Wheel and sdist are built twice, the second wheel from the sdist, and must be the same bytes. They
are checked by check-wheel-contents and twine, and installed into fresh environments, alone and with
each extra, on every Python of this machine. What mypy and pyright infer from the wheel, with
boto3-stubs and Powertools beside it, is what `typing_tests/` says.
"""

from __future__ import annotations

import email
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
HEAVY = {"demo"}  # with all of moto: on one Python

ALONE = """
import importlib, importlib.util, pathlib, subprocess, sys
import ddbstream
for name in ddbstream.__all__:
    getattr(ddbstream, name)
from ddbstream import StreamRouter
from ddbstream.testing import insert
router = StreamRouter()
router.on_insert()(lambda record: None)
assert router.dispatch([insert({"PK": "1"})]).processed == 1
assert (pathlib.Path(ddbstream.__file__).parent / "py.typed").exists()
"""
SMOKE = {
    "": """
assert importlib.util.find_spec("boto3") is None, "something came along"
done = subprocess.run([sys.executable, "-m", "ddbstream"], capture_output=True, text=True)
assert done.returncode == 2 and "ddbstream[cli]" in done.stderr, done.stderr
""",
    "poller": """
from ddbstream.poller import StreamPoller
from ddbstream.testing import FakeStream
stream = FakeStream("Product")
stream.put({"PK": {"S": "1"}})
poller = StreamPoller("Product", router, client=stream, clock=stream.clock)
assert poller.run_until_caught_up().reason == "caught_up"
importlib.import_module("boto3")
""",
    "cli": """
program = pathlib.Path(sys.executable).with_name("ddbstream")
done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
assert done.stdout == f"ddbstream {ddbstream.__version__}\\n", done.stdout
subprocess.run([program, "decode", "--help"], capture_output=True, check=True)
""",
    "testing": "importlib.import_module('ddbstream.testing.strategies')",
    "fast": """
from ddbstream.testing import kinesis_event
importlib.import_module("msgspec")
assert router.dispatch(kinesis_event([insert({"PK": "1"})])).processed == 1
""",
    "kcl": """
from ddbstream.kcl import RecordProcessor
assert RecordProcessor(router) is not None
""",
    "demo": """
program = pathlib.Path(sys.executable).with_name("ddbstream")
subprocess.run([program, "demo"], capture_output=True, check=True, timeout=120)
""",
}


def main() -> int:
    """Build, check and try; the exit code is 1 if anything is wrong."""
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    run(BIN / "python", "-m", "hatchling", "build", "--directory", dist, cwd=ROOT)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as folder:
        check_reproducible(wheel, sdist, Path(folder))
    run(BIN / "check-wheel-contents", wheel)
    run(BIN / "twine", "check", "--strict", wheel, sdist)
    print_sizes(wheel, sdist)
    try_out(wheel)
    check_types(wheel)
    return 0


def run(*command: str | Path, cwd: Path | None = None) -> None:
    """Run one command; what it printed is shown if it failed."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")


def check_reproducible(wheel: Path, sdist: Path, folder: Path) -> None:
    """The sdist is the same again; a wheel made from it is the wheel."""
    run(BIN / "python", "-m", "hatchling", "build", "--target", "sdist", "-d", folder, cwd=ROOT)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    run(BIN / "python", "-m", "hatchling", "build", "--target", "wheel", "-d", folder, cwd=source)
    for path in (wheel, sdist):
        first, second = (
            hashlib.sha256(one.read_bytes()).hexdigest() for one in (path, folder / path.name)
        )
        if first != second:
            raise SystemExit(f"{path.name} is other bytes when it is built again")
        print(f"{path.name}  sha256 {first}")


def print_sizes(wheel: Path, sdist: Path) -> None:
    """How much a user downloads, and how much a function carries."""
    with zipfile.ZipFile(wheel) as archive:
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    for path in (wheel, sdist):
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} KB")
    print(f"installed: {sum(sizes.values()) / 1000:.0f} KB in {len(sizes)} files")


def try_out(wheel: Path) -> None:
    """Install the wheel alone and with each extra, on each Python there is."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [one for one in archive.namelist() if one.endswith("/METADATA")]
        extras = email.message_from_bytes(archive.read(name)).get_all("Provides-Extra") or []
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    unknown = set(extras) - set(SMOKE)
    if unknown:
        raise SystemExit(f"{__file__} does not try the extras {sorted(unknown)}")
    for version in PYTHONS:
        python = sys.executable if version == here else find(version)
        if python is None:
            print(f"Python {version}: not on this machine")
            continue
        chosen = ["", *(extra for extra in extras if version == here or extra not in HEAVY)]
        for extra in chosen:
            try_one(wheel, python, extra)
        print(f"Python {version}: " + ", ".join(extra or "alone" for extra in chosen))


def find(version: str) -> str | None:
    """The interpreter of that version, as pyenv or uv has it; never downloaded."""
    if pyenv := shutil.which("pyenv"):
        root = subprocess.run([pyenv, "root"], capture_output=True, text=True, check=True)
        for home in sorted(Path(root.stdout.strip()).glob(f"versions/{version}.*")):
            return str(home / "bin" / "python")
    command = [BIN / "uv", "python", "find", "--no-python-downloads", version]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    return done.stdout.strip() or None


def try_one(wheel: Path, python: str, extra: str) -> None:
    """One environment with the wheel and an extra, and a program that uses it."""
    with tempfile.TemporaryDirectory() as folder:
        inside = Path(folder) / "bin" / "python"
        run(BIN / "uv", "venv", "--quiet", "--python", python, folder)
        wanted = f"{wheel}[{extra}]" if extra else str(wheel)
        run(BIN / "uv", "pip", "install", "--quiet", "--python", inside, wanted)
        run(inside, "-W", "error", "-c", ALONE + SMOKE[extra], cwd=Path(folder))


def check_types(wheel: Path) -> None:
    """The typing tests, far from the sources, with the packages of the lock and the wheel."""
    with tempfile.TemporaryDirectory() as folder:
        inside, tests = Path(folder) / "bin" / "python", Path(folder) / "typing_tests"
        run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, folder)
        install = (BIN / "uv", "pip", "install", "--quiet", "--python", inside)
        run(*install, "--require-hashes", "-r", ROOT / "requirements" / "dev.txt")
        run(*install, "--no-deps", wheel)
        shutil.copytree(ROOT / "typing_tests", tests)
        run(inside, "-m", "mypy", "--strict", "--python-executable", inside, tests, cwd=tests)
        strict = {"typeCheckingMode": "strict", "reportTypedDictNotRequiredAccess": False}
        (tests / "pyrightconfig.json").write_text(json.dumps(strict))
        run(inside, "-m", "pyright", "--pythonpath", inside, cwd=tests)
        print("mypy and pyright: as typing_tests/ says, from the wheel")


if __name__ == "__main__":
    raise SystemExit(main())
