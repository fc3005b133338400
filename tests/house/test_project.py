"""The project's own files agree with each other, and a release holds what it should."""

from __future__ import annotations

import ast
import email
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import ddbstream
import hatch_build

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "product_catalog" / "functions"  # `ddbstream demo` runs these files
SOURCES = sorted((ROOT / "src").rglob("*.py"))

# A module that no longer fits in the head needs a reason to be one module.
MAY_BE_LONG: dict[str, str] = {
    "testing/mapping/_mapping.py": "one class: AWS's parameters, each with what it means",
    "_diff/document_diff.py": "one class, `Diff`, with the functions that make one and join two",
    "_model/objects.py": "a class with fields: reading, writing, its keys and the code for it",
    "_model/planner.py": "annotations and classes to nodes, which nest in each other",
    "_router/router.py": "one class: every decorator has its overloads, and tells what it takes",
    "testing/fake_stream/_stream.py": "one class: a table and its client",
}


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_the_changelog_has_this_version_or_a_place_for_what_comes():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased" or headings[0] == ddbstream.__version__


def test_the_version_is_a_literal_that_agrees_in_both_places():
    assert f'\nversion = "{ddbstream.__version__}"\n' in (ROOT / "pyproject.toml").read_text()
    assert f'__version__ = "{ddbstream.__version__}"' in lines(ROOT / "src/ddbstream/__init__.py")


def test_no_module_is_over_400_lines_without_a_reason():
    long = {
        path.relative_to(ROOT / "src" / "ddbstream").as_posix(): len(lines(path))
        for path in SOURCES
        if len(lines(path)) > 400
    }
    assert {name: count for name, count in long.items() if name not in MAY_BE_LONG} == {}
    assert set(MAY_BE_LONG) <= set(long), "an entry whose module is short again"


def test_no_function_is_over_60_lines():
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) > 60
    ]
    assert long == []


def code_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The lines of a function without its docstring: a long explanation is no long function."""
    first = node.body[0]
    documented = ast.get_docstring(node) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def test_the_tags_of_attribute_values_are_listed_once():
    assert [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Set | ast.Tuple | ast.List)
        and {"SS", "NS", "BS"} <= {one.value for one in node.elts if isinstance(one, ast.Constant)}
        and path.name != "tags.py"
    ] == []


def test_no_module_is_called_utils():
    assert [path for path in SOURCES if "util" in path.stem or path.stem == "helpers"] == []


def test_annotations_are_never_evaluated_at_import():
    assert [
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.read_text(encoding="utf-8").strip()
        and "from __future__ import annotations" not in lines(path)
    ] == []


def test_the_locks_name_no_package_index():
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [path.stem for path in locks] == ["demo", "dev", "docs", "release", "test"]
    for path in locks:
        assert "://" not in path.read_text()
        assert not re.search(r"^-", path.read_text(), re.MULTILINE)


def test_the_smaller_locks_have_the_versions_of_the_large_one():
    pins = {
        path.stem: set(re.findall(r"^(\S+==[^ ;]+)", path.read_text(), re.MULTILINE))
        for path in (ROOT / "requirements").glob("*.txt")
    }
    assert pins["test"] <= pins["dev"]
    assert pins["demo"] <= pins["dev"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )
    (built,) = folder.glob("*.whl")
    return zipfile.ZipFile(built)


def test_the_wheel_holds_the_package_its_type_marker_and_its_licence(wheel):
    info = f"ddbstream-{ddbstream.__version__}.dist-info/"
    names = set(wheel.namelist())
    package = {name for name in names if not name.startswith(info)}
    expected = {path.relative_to(ROOT / "src").as_posix() for path in SOURCES}
    expected |= {f"ddbstream/cli/product_catalog/{path.name}" for path in EXAMPLE.glob("*.*")}
    assert package == expected | {"ddbstream/py.typed", "ddbstream/cli/kcl_jars.txt"}
    assert names - package == {
        f"{info}{name}"
        for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    }


def test_the_readme_of_the_wheel_has_no_link_that_a_package_index_cannot_follow(wheel):
    info = f"ddbstream-{ddbstream.__version__}.dist-info/"
    readme = email.message_from_bytes(wheel.read(f"{info}METADATA")).get_payload()
    assert readme.startswith("# ddbstream\n")
    assert [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link] == []
    assert "<!---" not in readme


def test_a_repository_makes_the_links_of_the_readme_absolute():
    text = "[docs](docs/index.md), [PyPI](https://pypi.org/)"
    assert hatch_build.absolute(text, "https://host/it", "1.2") == (
        "[docs](https://host/it/blob/v1.2/docs/index.md), [PyPI](https://pypi.org/)"
    )
    assert hatch_build.absolute(text, None, "1.2") == "docs, [PyPI](https://pypi.org/)"


def test_the_wheel_needs_nothing_but_python_unless_asked(wheel):
    info = f"ddbstream-{ddbstream.__version__}.dist-info/"
    metadata = email.message_from_bytes(wheel.read(f"{info}METADATA"))
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.10"
    needed = metadata.get_all("Requires-Dist") or []
    assert all("extra ==" in requirement for requirement in needed)
    assert {*(metadata.get_all("Provides-Extra") or [])} == {
        *("poller", "fast", "kcl", "cli", "testing", "demo")
    }
    # An upper bound would fight the boto3 that the user's application has.
    assert not [requirement for requirement in needed if "<" in requirement]
    assert wheel.read(f"{info}entry_points.txt").split() == [
        b"[console_scripts]",
        b"ddbstream",
        b"=",
        b"ddbstream.cli:main",
    ]


def test_each_exception_from_a_check_of_security_has_its_reason():
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("src", "fuzz", "bench", ".ci")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(r"noqa: (\w+, ?)*S\d{3}", line)
        and not re.search(r"noqa: [A-Z\d, ]+ --? \w", line)
    ]
    assert bare == []


def test_actions_are_pinned_by_hash_with_their_version_beside_it():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))
    used = [
        line.partition("uses:")[2].strip()
        for path in workflows
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    for action in used:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_each_branch_that_coverage_is_not_to_see_has_its_reason():
    marked = [line for path in SOURCES for line in lines(path) if "pragma: no" in line]
    assert marked
    for line in marked:
        assert re.search(r"# pragma: no (cover|branch) - \S+ \S+", line), line
