"""What deploys an example says what its code expects, whichever tool it is for."""

from __future__ import annotations

import importlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from ddbstream.filters import FilterCriteria, Pattern
from ddbstream.testing import insert, modify, remove

EXAMPLES = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(path.parent for path in EXAMPLES.glob("*/README.md"))
DEPLOYS = ("template.yaml", "serverless.yml", "main.tf", "infrastructure/app.py")


def python_of(folder: Path) -> str:
    return "\n".join(
        path.read_text()
        for path in folder.rglob("*.py")
        if not path.name.startswith("test_") and path.name != "app.py"
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_an_example_says_what_it_is_and_has_tests_and_requirements(folder: Path):
    names = {path.name for path in folder.rglob("*")}
    assert "requirements.txt" in names
    tested = [*folder.glob("test_*.py")] or folder.name == "product_catalog"  # tests/examples
    assert tested


@pytest.mark.parametrize(
    "path",
    [folder / name for folder in FOLDERS for name in DEPLOYS if (folder / name).exists()],
    ids=lambda path: str(path.relative_to(EXAMPLES)),
)
def test_a_mapping_reports_failures_if_and_only_if_its_function_does(path: Path):
    code = re.sub(r"#.*", "", python_of(EXAMPLES / path.relative_to(EXAMPLES).parts[0]))
    text = re.sub(r"#.*", "", path.read_text())
    mapping = "ReportBatchItemFailures" in text or "report_batch_item_failures=True" in text
    assert mapping == ("report_batch_item_failures=True" in code)


def deployed_patterns(path: Path) -> list[str]:
    if path.suffix == ".yaml":
        return re.findall(r"- Pattern: '(.*)'", path.read_text())
    # The one pattern in the Terraform file, from HCL's `name = value` to JSON's.
    found = re.findall(r"pattern = jsonencode\((.*)\)$", path.read_text(), re.MULTILINE)
    return [re.sub(r"(\w+) =", r'"\1":', one) for one in found]


@pytest.mark.parametrize(
    ("name", "file", "entity"),
    [
        ("sales_totals", "template.yaml", "Sale"),
        ("search_index", "main.tf", "Product"),
    ],
)
def test_a_deployed_filter_lets_through_what_the_routes_want_and_no_more(
    name: str, file: str, entity: str
):
    router = importlib.import_module(name).router
    derived: FilterCriteria = router.filter_criteria(keys=["PK", "SK"])
    deployed = [Pattern(json.loads(one)) for one in deployed_patterns(EXAMPLES / name / file)]
    wanted = [Pattern(one["Pattern"]) for one in derived["Filters"]]
    assert deployed
    for key in (f"{entity}#1", "Other#1", entity):
        item = {"PK": key, "SK": "User#Product"}
        for record in (insert(item), modify(item, {**item, "n": 1}), remove(item)):
            assert any(one.matches(record) for one in deployed) == any(
                one.matches(record) for one in wanted
            )


@pytest.mark.parametrize(
    "path", sorted(EXAMPLES.rglob("*.tf")), ids=lambda path: str(path.relative_to(EXAMPLES))
)
def test_terraform_reads_the_file_and_would_format_it_alike(path: Path):
    # Validating needs the providers, which come from a registry of Terraform's own.
    if (terraform := shutil.which("terraform")) is None:
        pytest.skip("needs terraform")
    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
