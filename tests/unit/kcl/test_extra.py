"""The extra ``kcl``: what is missing is said where the module is imported."""

from __future__ import annotations

import subprocess
import sys


def imported(statements: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", statements], capture_output=True, text=True, check=False, timeout=60
    )


def test_without_the_extra_the_import_says_what_to_install():
    done = imported("import sys; sys.modules['msgspec'] = None; import ddbstream.kcl")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == (
        'ModuleNotFoundError: ddbstream.kcl needs msgspec: pip install "ddbstream[kcl]"'
    )


def test_it_needs_neither_kclpy_nor_boto3():
    blocked = "import sys; sys.modules.update(amazon_kclpy=None, boto3=None); import ddbstream.kcl"
    assert imported(blocked).returncode == 0


def test_a_shards_process_loads_no_command_line_and_no_event_loop():
    # The daemon starts one for each shard.
    done = imported("import sys, ddbstream.kcl.__main__; print(*sys.modules)")
    loaded = set(done.stdout.split())
    assert not loaded & {"click", "rich", "boto3", "botocore", "asyncio"}
