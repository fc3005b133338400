"""Fixtures for every test: no way to a real AWS account, and servers that start when asked for."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.dynamodb_local import DynamoDBLocal, Table, fetch

# A shell starts background jobs with SIGINT ignored, and their children inherit that: tests that
# interrupt a child would then wait for ever.
if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    and threading.current_thread() is threading.main_thread()
):
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A relative path would be another folder's to what a test starts elsewhere, which would then import
# whatever ddbstream is installed.
if "PYTHONPATH" in os.environ:
    os.environ["PYTHONPATH"] = os.pathsep.join(
        os.path.abspath(path)  # noqa: PTH100 - an empty one is this folder
        for path in os.environ["PYTHONPATH"].split(os.pathsep)
    )

# No deadline: a machine shared by several workers is slow at any moment for reasons of its own.
settings.register_profile("dev", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
# The same examples every time, as what is measured should not hang on luck.
settings.register_profile("repeatable", settings.get_profile("quick"), derandomize=True)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the test that takes longest: at the end every other worker would wait for it."""
    items.sort(key=lambda item: item.get_closest_marker("kinesis") is None)


@pytest.fixture(scope="session", autouse=True)
def _no_real_aws() -> Iterator[None]:
    """A test that forgets an endpoint must fail, and never reach the account of who runs it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        # What a test starts is not measured: it would see what coverage has imported.
        patch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[DynamoDBLocal]:
    """DynamoDB Local, one a pytest worker: its ``control``, ``table(…)``, ``read_all(arn)``, …."""
    with DynamoDBLocal(fetch()) as server:
        yield server


@pytest.fixture
def local_table(dynamodb_local: DynamoDBLocal) -> Iterator[Table]:
    """A new table on it whose stream carries both images."""
    with dynamodb_local.table() as table:
        yield table
