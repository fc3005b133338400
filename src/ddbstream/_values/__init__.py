"""The atoms of the wire: attribute values, numbers, binaries, times and document paths."""

from __future__ import annotations
