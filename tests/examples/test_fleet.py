"""The example of a fleet: its files are linted, and start what is there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

yaml = pytest.importorskip("yaml")

EXAMPLE = Path(__file__).parents[2] / "examples" / "fleet"


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((EXAMPLE / "kubernetes.yaml").read_text()))


def containers() -> dict[str, list[str]]:
    """The arguments of each container."""
    return {
        container["name"]: container["args"]
        for manifest in manifests()
        for container in manifest["spec"]["template"]["spec"]["containers"]
    }


def passes(*command: str) -> None:
    done = subprocess.run(
        command, cwd=EXAMPLE, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_passes_hadolint() -> None:
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("hadolint has wheels for Linux only")
    passes(hadolint, "Dockerfile")


def test_the_template_passes_cfn_lint() -> None:
    pytest.importorskip("cfnlint")
    run = "from cfnlint.runner import main; main()"
    passes(sys.executable, "-c", run, "-t", "template.yaml")


def test_the_manifests_are_what_kubernetes_takes() -> None:
    validate = pytest.importorskip("kubernetes_validate")
    for manifest in manifests():
        validate.validate(manifest, "1.34", strict=True)


def test_the_fleets_container_starts_the_example_with_options_that_exist() -> None:
    command, run, *arguments = containers()["worker"]
    assert (command, run) == ("kcl", "run")
    passes(sys.executable, "-m", "ddbstream", "kcl", "properties", *arguments)


def test_a_container_gets_longer_to_stop_than_its_handlers_do() -> None:
    for manifest in manifests():
        assert manifest["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 30
