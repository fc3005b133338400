"""Names for annotations: what a `StreamRouter` says of itself, and what it takes.

The classes are made by a router alone.
"""

from __future__ import annotations

from ddbstream._router.classify import Classifier
from ddbstream._router.descriptions import Explanation, RouteDescription
from ddbstream._router.failures import DeadLetterSink

__all__ = ["Classifier", "DeadLetterSink", "Explanation", "RouteDescription"]
