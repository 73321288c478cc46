"""``python -m client.command``: the same as ``cntk-jobs``."""

import sys

from client.command.main import main

sys.exit(main())
