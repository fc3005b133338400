"""Checkpoint stores: the contract, and one file for each store."""

from __future__ import annotations
