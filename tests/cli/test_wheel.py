"""The wheel carries what the demo runs, and a checkout has it in one place only."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
pytest.importorskip("moto")

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/product_catalog/functions"


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's contents, as an installer lays them out."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_demos_functions_are_the_examples_files(unpacked: Path) -> None:
    carried = unpacked / "ddbstream/cli/product_catalog"
    assert {path.name for path in carried.iterdir()} == {
        path.name for path in EXAMPLE.iterdir() if path.is_file()
    }
    for path in carried.iterdir():
        assert path.read_bytes() == (EXAMPLE / path.name).read_bytes()
    assert not (ROOT / "src/ddbstream/cli/product_catalog").exists()


def test_the_demo_runs_from_the_wheel(unpacked: Path, tmp_path: Path) -> None:
    # -I: nothing of this checkout is on the path.
    program = (
        f"import sys; sys.path.insert(0, {str(unpacked)!r}); "
        "from ddbstream.__main__ import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-I", "-c", program, "demo"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.splitlines()) == 5
