"""What ``import ddbstream`` costs: an exact list of modules, in an interpreter of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

# What nearly every function has loaded already, and what a bare interpreter differs in per version.
GIVEN = "__future__, typing, dataclasses, datetime, decimal, logging, collections.abc"

# Beyond GIVEN, all of the standard library that the library itself may load. Every line costs each
# cold start of each function: add one only with a reason, and import late what one feature needs.
STANDARD_LIBRARY = {
    "binascii": "binary values in Lambda's JSON",
    "copy": "dataclasses has always loaded it, and from Python 3.15 on when it is first needed",
}

# Never, however indirectly (`STANDARD_LIBRARY` says so too; these are the ones that hurt).
NEVER = {
    "asyncio",
    "attr",
    "base64",
    "boto3",
    "botocore",
    "concurrent.futures",
    "importlib.metadata",
    "json",
    "msgspec",
    "pydantic",
    "typing_extensions",
    "uuid",
    "zoneinfo",
}

HOSTS_AND_TOOLS = ("cli", "export", "kcl", "poller", "replay", "testing")


def loaded_by(statements: str, *, given: str = GIVEN) -> set[str]:
    """The modules that ``statements`` load after ``given``, warnings being errors."""
    program = f"""
import sys, {given}
_before = set(sys.modules)
{statements}
print(*sorted(set(sys.modules) - _before))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


EVERY_NAME = """
import ddbstream
for _public in ddbstream.__all__:
    getattr(ddbstream, _public)
"""


def test_the_package_alone_loads_nothing_else():
    assert loaded_by("import ddbstream") == {"ddbstream"}


@pytest.fixture(scope="module")
def with_every_name() -> set[str]:
    return loaded_by(EVERY_NAME)


def test_every_public_name_loads_of_the_standard_library_what_is_allowed_and_no_more(
    with_every_name,
):
    others = {name for name in with_every_name if name.partition(".")[0] != "ddbstream"}
    assert others <= set(STANDARD_LIBRARY)


def test_no_public_name_loads_what_must_not_be(with_every_name):
    assert not {
        name
        for name in with_every_name
        if name in NEVER or name.partition(".")[0] in NEVER - {"concurrent.futures"}
    }


def test_no_public_name_loads_the_poller_the_command_line_or_the_testing_tools(with_every_name):
    assert not {
        name
        for name in with_every_name
        if name.startswith(tuple(f"ddbstream.{part}" for part in HOSTS_AND_TOOLS))
    }


def test_the_poller_loads_boto3_only_when_it_makes_a_client():
    loaded = loaded_by("import ddbstream.poller")
    assert not {name for name in loaded if name.partition(".")[0] in {"boto3", "botocore"}}


def test_the_measure_sees_what_is_loaded():
    assert {"uuid", "zoneinfo"} <= loaded_by("import uuid, zoneinfo")
