"""The whole poller in a simulated world, decided by a seed alone.

What `tests.support.poller_simulation` does for the core this does for all of it: the driver, the
setup, both pollers, loops over batches, a real router. `schedule` is the world's time, `service`
what it is that answers, `ledger` what was promised and what came of it, `world` a run.
"""

from tests.support.whole_poller.ledger import Violation
from tests.support.whole_poller.world import Result, World, run

__all__ = ["Result", "Violation", "World", "run"]
