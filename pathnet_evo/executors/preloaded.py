"""What processes of a run import, whatever it runs: their server imports this before it forks them.

It then takes all that is there out of garbage collection. A collection in a process would write to
each object, and so copy the memory that it shares with the others.
"""

from __future__ import annotations

import gc

import pathnet_evo.engines.trainer
import pathnet_evo.executors.remote  # noqa: F401 (there before it is needed)

gc.collect()
gc.freeze()
