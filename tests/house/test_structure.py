"""The house: arrows point down, no circles, few floors, and every room is on the map."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "ddbstream"
MAP = ROOT / "docs" / "architecture.md"

Graph = dict[str, set[str]]


def name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_graph(package: Path) -> Graph:
    """Which module imports which, wherever the import stands: at the top, inside a function, or
    under ``TYPE_CHECKING``.
    """
    modules = {name_of(path, package): path for path in sorted(package.rglob("*.py"))}
    graph: Graph = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        graph[name] = {target for target in imported(tree, name, path, modules) if target != name}
    return graph


def imported(tree: ast.Module, name: str, path: Path, modules: dict[str, Path]) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                own = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
                base = ".".join([*own[: len(own) - node.level + 1], *filter(None, [base])])
            # `from package import module` draws the arrow to the module, which is what is meant.
            wanted = [
                f"{base}.{alias.name}" if f"{base}.{alias.name}" in modules else base
                for alias in node.names
            ]
        else:
            continue
        found.update(one for one in wanted if one in modules)
    return found


def circles(graph: Graph) -> list[list[str]]:
    """The strongly connected components of more than one module (Tarjan, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []
    for start in graph:
        if start in index:
            continue
        work = [(start, iter(sorted(graph[start])))]
        index[start] = low[start] = len(index)
        stack.append(start)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    stack.append(target)
                    work.append((target, iter(sorted(graph[target]))))
                    break
                if target in stack:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = stack.index(node)
                    component, stack[cut:] = stack[cut:], []
                    if len(component) > 1:
                        found.append(sorted(component))
    return found


def rooms(graph: Graph) -> Graph:
    """The same graph with each folder of the package root as one room."""
    made: Graph = {}
    for name, targets in graph.items():
        mine = made.setdefault(room_of(name), set())
        mine |= {room_of(target) for target in targets} - {room_of(name)}
    return made


def room_of(name: str) -> str:
    return ".".join(name.split(".")[:2])


def floors(graph: Graph) -> int:
    """The length of the longest chain of imports; the graph has no circle."""
    depth: dict[str, int] = {}

    def below(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max((below(target) for target in graph[name]), default=0)
        return depth[name]

    return max(below(name) for name in graph)


def imports_inside_functions(package: Path) -> list[str]:
    found = set()
    for path in sorted(package.rglob("*.py")):
        for function in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                found |= {
                    f"{path.relative_to(package)}:{node.lineno}"
                    for node in ast.walk(function)
                    if isinstance(node, ast.Import | ast.ImportFrom)
                }
    return sorted(found)


@pytest.fixture(scope="module")
def graph() -> Graph:
    return import_graph(PACKAGE)


def test_no_module_imports_itself_by_a_detour(graph: Graph):
    assert circles(graph) == []


def test_no_room_imports_itself_by_a_detour(graph: Graph):
    assert circles(rooms(graph)) == []


def test_the_house_has_at_most_twelve_floors(graph: Graph):
    assert floors(rooms(graph)) <= 12


def test_the_root_holds_only_what_everybody_imports_and_thin_public_faces():
    loose = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(loose) <= 14
    assert [name for name in loose if name.startswith("_") and not name.startswith("__")] == []


def test_imports_inside_functions_are_few():
    inside = imports_inside_functions(PACKAGE)
    assert len(inside) <= 50, inside


def test_every_module_is_on_the_map_or_in_a_folder_that_is(graph: Graph):
    """``docs/architecture.md`` names modules as `_router/batch.py` and folders as `_router/`."""
    named = set(re.findall(r"`([\w./]+)`", MAP.read_text(encoding="utf-8")))
    modules = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py")}
    lost = sorted(
        str(module)
        for module in modules
        if str(module) not in named
        and not any(f"{folder}/" in named for folder in module.parents if str(folder) != ".")
    )
    assert lost == []


def test_the_map_names_nothing_that_is_not_there():
    named = re.findall(r"`([\w/]+(?:\.py|/))`", MAP.read_text(encoding="utf-8"))
    assert named
    missing = [
        name for name in named if not (PACKAGE / name).exists() and not (ROOT / name).exists()
    ]
    assert missing == []


def test_the_measure_sees_a_circle_in_a_function_and_under_type_checking(tmp_path: Path):
    package = tmp_path / "made"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "one.py").write_text("def f():\n    from made import two\n")
    (package / "two.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from made.three import X\n"
    )
    (package / "three.py").write_text("from . import one\n")
    made = import_graph(package)
    assert circles(made) == [["made.one", "made.three", "made.two"]]
    assert imports_inside_functions(package) == ["one.py:2"]
    (package / "two.py").write_text("")
    assert circles(import_graph(package)) == []
    assert floors(import_graph(package)) == 3
