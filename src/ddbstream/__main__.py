"""``python -m ddbstream``: the same as the console script ``ddbstream``."""

from __future__ import annotations

from ddbstream.cli import main

if __name__ == "__main__":
    main()
