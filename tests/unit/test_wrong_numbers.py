"""A misspelt word or a number that makes no sense is refused, where it would lose or do nothing."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from ddbstream import LambdaHandler, StreamRouter
from ddbstream.exceptions import ExportError, PollerArgumentError
from ddbstream.export import backfill, load
from ddbstream.poller import AsyncStreamPoller, FailurePolicy, StreamPoller, retry
from ddbstream.replay import ReplayHandler, replay
from ddbstream.testing import FakeStream

WRONG: Any = {
    "a misspelt end drops the record": lambda: retry(0, then="ignore"),
    "no end at all": lambda: retry(0, then=None),
    "letters without a sink": lambda: FailurePolicy(0, "dead_letter"),
    "a policy's misspelt end": lambda: FailurePolicy(0, "nope"),  # type: ignore[arg-type]
    "fewer than no retries": lambda: retry(-1, then="skip"),
    "retries in words": lambda: retry("3", then="skip"),
    "a misspelt gap goes on": lambda: StreamPoller("Table", StreamRouter(), on_gap="fial"),
    "no worker": lambda: StreamPoller("Table", StreamRouter(), max_workers=0),
    "no worker in a loop": lambda: AsyncStreamPoller("Table", StreamRouter(), max_workers=0),
    "a function to replay to": lambda: replay([], lambda record: None),
    "a Lambda handler to replay to": lambda: ReplayHandler(LambdaHandler(StreamRouter())),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused_where_it_is_given(name: str) -> None:
    with pytest.raises(PollerArgumentError):
        WRONG[name]()


@pytest.mark.parametrize(
    "use",
    [
        lambda: load([], StreamRouter(), batch_size=0),
        lambda: backfill("Table", StreamRouter(), client=SimpleNamespace(), segments=0),
    ],
)
def test_a_load_of_nothing_is_no_success(use: Callable[[], object]) -> None:
    with pytest.raises(ExportError, match="from 1 on"):
        use()


@pytest.mark.parametrize("wrong", [{"shards": 0}, {"keys": "PK"}, {"keys": ()}, {"view_type": "x"}])
def test_there_is_no_such_stream(wrong: Any) -> None:
    with pytest.raises(ValueError, match=r"a fake stream has|view_type="):
        FakeStream(**wrong)
