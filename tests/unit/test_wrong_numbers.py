"""A misspelt word or a number that makes no sense is refused, where it would lose or do nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from types import SimpleNamespace
from typing import Any

import pytest

from ddbstream import LambdaHandler, StreamRouter
from ddbstream.exceptions import ExportError, PollerArgumentError
from ddbstream.export import backfill, load
from ddbstream.poller import (
    AsyncStreamPoller,
    Backoff,
    FailurePolicy,
    Settings,
    StreamPoller,
    retry,
)
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
    "a gap misspelt in the settings": lambda: Settings(on_gap="contnue"),
    "a lease that is over at once": lambda: Settings(lease=0),
    "seconds in words": lambda: Settings(lease="30"),
    "seconds that have gone": lambda: Settings(idle=-1),
    "seconds that are no number": lambda: Settings(discovery=float("nan")),
    "no calls at all": lambda: Settings(idle_calls=0),
    "no records a page": lambda: Settings(page_limit=0),
    "more records a page than the service gives": lambda: Settings(page_limit=1001),
    "half a record": lambda: Settings(page_limit=0.5),
    "a number for a backoff": lambda: Settings(read_backoff=1.0),
    "a backoff that goes back": lambda: Backoff(-1, 1),
    "a number for a policy's backoff": lambda: retry(1, then="skip", backoff=1.0),
    "an age in words": lambda: retry(1, then="skip", max_age="1h"),
    "grace in words": lambda: StreamPoller("Table", StreamRouter(), grace="30"),
    "no lag at all in words": lambda: StreamPoller("Table", StreamRouter(), max_lag="none"),
    "no worker": lambda: StreamPoller("Table", StreamRouter(), max_workers=0),
    "no worker in a loop": lambda: AsyncStreamPoller("Table", StreamRouter(), max_workers=0),
    "a function to replay to": lambda: replay([], lambda record: None),
    "a Lambda handler to replay to": lambda: ReplayHandler(LambdaHandler(StreamRouter())),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused_where_it_is_given(name: str) -> None:
    with pytest.raises(PollerArgumentError):
        WRONG[name]()


NUMBERS = [field.name for field in fields(Settings) if not isinstance(field.default, bool)]


@pytest.mark.parametrize("setting", NUMBERS)
@pytest.mark.parametrize("wrong", [None, -1, "1", float("nan")])
def test_so_is_every_setting_that_is_no_such_number(setting: str, wrong: Any) -> None:
    with pytest.raises(PollerArgumentError, match=setting):
        Settings(**{setting: wrong})


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
