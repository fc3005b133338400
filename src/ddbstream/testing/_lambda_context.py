"""A stand-in for the context object that Lambda hands to a function."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

__all__ = ["LambdaContext", "function_arn"]


def function_arn(name: str) -> str:
    """The ARN of a function of this name."""
    return f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"


class LambdaContext:
    """The attributes that Lambda documents, over any clock.

    Args:
        function_name: The function's name.
        timeout: Seconds that the invocation may take from now on.
        now: Tells the seconds on the clock that counts.
    """

    function_version = "$LATEST"
    memory_limit_in_mb = "128"
    identity = None
    client_context = None

    def __init__(self, function_name: str, timeout: float, now: Callable[[], float]) -> None:
        self.function_name = function_name
        self.invoked_function_arn = function_arn(function_name)
        self.aws_request_id = str(uuid.uuid4())
        self.log_group_name = f"/aws/lambda/{function_name}"
        self.log_stream_name = f"{time.strftime('%Y/%m/%d')}/[$LATEST]{uuid.uuid4().hex}"
        self._now = now
        self._deadline = now() + timeout

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the timeout, never below 0."""
        return max(0, int((self._deadline - self._now()) * 1000))
