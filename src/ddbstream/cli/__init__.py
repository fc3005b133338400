"""The command line: ``ddbstream``, or ``python -m ddbstream`` (extra ``cli``).

Nothing here is needed by a program that imports ddbstream. Without click and rich the command says
in one line what to install, and exits with 2, as for any other wrong use.
"""

from __future__ import annotations

import atexit
import sys
from importlib import import_module

__all__ = ["main"]


def main() -> None:
    """Run the command line on ``sys.argv``, and exit the process."""
    try:
        import_module("rich")  # the commands' modules need it, and are imported later
        cli = import_module("ddbstream.cli._app").cli  # which needs click
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in {"click", "rich"}:
            raise
        sys.stderr.write(
            f'ddbstream: the command line needs {error.name}: pip install "ddbstream[cli]"\n'
        )
        sys.exit(2)
    except KeyboardInterrupt:  # before there is a command that would say so
        sys.exit(130)
    streams = import_module("ddbstream.cli._standard_streams")
    streams.complete()
    streams.guard()
    atexit.register(streams.drop_errors)
    cli(prog_name="ddbstream")
