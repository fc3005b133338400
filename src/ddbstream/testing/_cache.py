"""Where what is fetched once is kept."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["cache_folder"]


def cache_folder() -> Path:
    """``DDBSTREAM_CACHE``, else ``ddbstream`` in the user's folder for caches."""
    if given := os.environ.get("DDBSTREAM_CACHE"):
        return Path(given)
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "ddbstream"
