"""Mutation tests: mutmut's mutants, run in forks of one pytest that has collected its tests once.

mutmut's own runner starts pytest anew for each mutant, which takes hours for the models. See
README.md beside it. Run it in a copy of the project: it writes the mutants over the sources.
"""

# ruff: noqa: T201 - a program that prints

from __future__ import annotations

import argparse
import ast
import difflib
import json
import os
import re
import resource
import signal
import textwrap
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from mutmut.mutation import trampoline
from mutmut.mutation.file_mutation import mutate_file_contents

JOBS = 2


class Mutants:
    """The mutants of some source files, written over them."""

    def __init__(self, root: Path, files: list[Path]) -> None:
        self.names: list[str] = []
        self.diffs: dict[str, str] = {}
        for file in files:
            mutated = mutate_file_contents(str(file), file.read_text(encoding="utf-8"))
            module = ".".join(file.relative_to(root / "src").with_suffix("").parts)
            module = module.removesuffix(".__init__")
            self.names += [f"{module}.{name}" for name in mutated.mutant_names]
            self._compare(module, mutated.code)
            file.write_text(mutated.code, encoding="utf-8")

    def _compare(self, module: str, code: str) -> None:
        lines = code.splitlines()
        functions = {
            node.name: textwrap.dedent("\n".join(lines[node.lineno : node.end_lineno]))
            for node in ast.walk(ast.parse(code))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and "__mutmut_" in node.name
        }
        for name, text in functions.items():
            stem = name.rpartition("__mutmut_")[0]
            if not name.endswith("_orig"):
                was = functions[f"{stem}__mutmut_orig"].splitlines()
                diff = list(difflib.unified_diff(was, text.splitlines(), lineterm="", n=0))[2:]
                self.diffs[f"{module}.{name}"] = "\n".join(d for d in diff if d[:2] != "@@")


class Endless(BaseException):
    """A mutant takes much longer than its function's tests."""


class Forks:
    """A pytest plugin: a fork a function, which runs the tests that reach it with each mutant."""

    def __init__(self, mutants: Mutants) -> None:
        self.mutants = mutants
        self.survivors: list[str] = []
        self.untested: list[str] = []
        self._running: dict[int, int] = {}
        self._serial = 0
        self._reports: list[pytest.TestReport] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self.items = {item.nodeid: item for item in session.items}
        reach, seconds = self._measure()
        started = time.monotonic()
        functions: dict[str, list[str]] = defaultdict(list)
        for name in self.mutants.names:
            functions[name.rpartition("__mutmut_")[0]].append(name)
        for function, names in functions.items():
            tests = sorted(reach.get(function, ()), key=seconds.__getitem__)
            if not tests:
                self.untested += names
                continue
            while len(self._running) >= JOBS:
                self._reap()
            out, inn = os.pipe()
            if (pid := os.fork()) == 0:
                self._child(names, tests, 1 + 3 * sum(seconds[test] for test in tests), inn)
            os.close(inn)
            self._running[pid] = out
            print(f"{function}: {len(names)}, {time.monotonic() - started:.0f} s", flush=True)
        while self._running:
            self._reap()
        return True

    def _measure(self) -> Any:
        """Which functions each test reaches, and its time; in a fork, so that nothing is cached."""
        out, inn = os.pipe()
        if os.fork() == 0:
            reach: dict[str, set[str]] = defaultdict(set)
            seconds: dict[str, float] = {}
            hits: set[str] = set()
            trampoline.record_trampoline_hit = lambda name, caller=None: hits.add(name)
            trampoline.set_mutant_under_test("stats")
            for nodeid, item in self.items.items():
                hits.clear()
                start = time.process_time()
                passed = self._passes(item)
                seconds[nodeid] = time.process_time() - start
                if not passed:  # without a mutant: it measures itself
                    print("left out:", nodeid, flush=True)
                for name in hits if passed else ():
                    reach[name].add(nodeid)
            with os.fdopen(inn, "w") as pipe:
                json.dump([{name: sorted(ids) for name, ids in reach.items()}, seconds], pipe)
            os._exit(0)
        os.close(inn)
        with os.fdopen(out) as pipe:
            measured = json.load(pipe)
        os.wait()
        return measured

    def _passes(self, item: pytest.Item) -> bool:
        from ddbstream._model import codec

        # each test plans its models anew: a cached codec would hide who reaches the planner
        self._serial += 1
        codec._CODEC = f"__ddbstream_codec_{self._serial}__"
        codec._other_codecs.clear()
        self._reports = []
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        return not any(report.failed for report in self._reports)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._reports.append(report)

    def _child(self, names: list[str], tests: list[str], limit: float, survivors: int) -> None:
        """Run a function's mutants, one after the other, and write the names of those that live."""
        resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)

        def stop(_signal: int, _frame: Any) -> None:
            raise Endless

        signal.signal(signal.SIGVTALRM, stop)
        try:
            for name in names:
                trampoline.set_mutant_under_test(name)
                killer = None
                signal.setitimer(signal.ITIMER_VIRTUAL, limit, 1)
                try:
                    killer = next(
                        (test for test in tests if not self._passes(self.items[test])), None
                    )
                except BaseException:  # noqa: BLE001 - endless, or out of memory: it is noticed
                    killer = tests[0]
                finally:
                    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                if killer is None:
                    os.write(survivors, f"{name}\n".encode())
                else:
                    # what noticed one mutant most likely notices the next one too
                    tests.remove(killer)
                    tests.insert(0, killer)
            os.write(survivors, b"done\n")
        finally:
            os._exit(0)

    def _reap(self) -> None:
        pid, _ = os.wait()
        with os.fdopen(self._running.pop(pid)) as pipe:
            *found, end = [*pipe.read().split("\n")[:-1]] or [""]
        if end != "done":
            print("!! a run of mutants ended early")
            found.append(end)
        for name in filter(None, found):
            self.survivors.append(name)
            print(f"## {name}\n{self.mutants.diffs[name]}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", help="globs, with commas between")
    parser.add_argument("tests", help="files or folders, with commas between")
    parser.add_argument("--only", default="", help="mutants whose names have this (an expression)")
    parser.add_argument("--without", help="no mutants whose diffs have this (an expression)")
    given = parser.parse_args()
    root = Path.cwd()
    files = sorted({file for pattern in given.files.split(",") for file in root.glob(pattern)})
    mutants = Mutants(root, files)
    before = len(mutants.names)
    mutants.names = [name for name in mutants.names if re.search(given.only, name)]
    if given.without:
        left_out = re.compile(given.without, re.MULTILINE)
        mutants.names = [n for n in mutants.names if not left_out.search(mutants.diffs[n])]
    print(f"{before - len(mutants.names)} mutants are left out")
    forks = Forks(mutants)
    options = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "--import-mode=importlib"]
    pytest.main([*options, *given.tests.split(",")], plugins=[forks])
    print(f"{len(mutants.names)} mutants", f"{len(forks.survivors)} survive", end=", ")
    print(f"{len(forks.untested)} are reached by no test")
    left = [*forks.survivors, *forks.untested]
    text = "".join(f"## {name}\n{mutants.diffs[name]}\n" for name in left)
    (root / "survivors.txt").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
