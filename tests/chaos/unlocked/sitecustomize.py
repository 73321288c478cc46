"""For a worker whose PYTHONPATH begins here: what keeps two trainers from one job does not work.

The lock on the run directory is always free, nobody kills a trainer that was left behind, and
no trainer dies with who supervised it. A campaign must notice.
"""

import sys

if sys.orig_argv[-2:] == ["-m", "worker"]:
    from worker import attempt, launch, run_lock

    run_lock._try_lock = lambda descriptor: True
    run_lock._kill_recorded = lambda run, before, *, supervisors: None
    attempt.kill_group = lambda leader: None
    launch.die_with_parent = lambda parent: None
