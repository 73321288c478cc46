"""The one guarded import of CNTK.

``C`` is the library in the trainer's interpreter and None elsewhere: the modern side reads
the parts' signatures and plans, which touch ``C`` only when a network is really built.
"""

import warnings

with warnings.catch_warnings():
    # CNTK warns about the distribution and about missing GPU libraries at every import.
    warnings.simplefilter("ignore")
    try:
        import cntk as C
    except ImportError:
        C = None

IGNORE = 0
"""``cntk.learners.IGNORE``: schedules and learners take the mean gradient of a minibatch."""
