"""The words of errors that many tests meet, so that rewording one changes one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ddbstream.exceptions import DDBStreamError


@contextmanager
def too_deep(
    kind: type[DDBStreamError] = DDBStreamError,
) -> Iterator[pytest.ExceptionInfo[DDBStreamError]]:
    """What is done inside is refused because it nests deeper than DynamoDB stores."""
    with pytest.raises(kind) as caught:
        yield caught
    assert (caught.value.expected, caught.value.found) == ("at most 32 levels", "more")
