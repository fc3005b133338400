"""Waiting for what a user's function gave, if it gave something to await."""

from __future__ import annotations

__all__ = ["finish"]


def finish(result: object) -> object:
    """What a function of the user's returned; of an awaitable, what it comes to.

    Raises:
        BaseException: What the awaitable raises.
    """
    if not hasattr(result, "__await__"):
        return result
    # Only a router with something asynchronous pays for asyncio.
    from ddbstream._router.event_loop import wait_for

    waited: object = wait_for(result)
    return waited
