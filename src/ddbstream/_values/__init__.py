"""Attribute values and their tags, numbers, binaries, times and document paths."""

from __future__ import annotations
