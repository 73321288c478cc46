"""``python -m service``: the whole service in the foreground, until Ctrl-C."""

from __future__ import annotations

import logging
import sys

from pydantic import ValidationError

from jobs.log import set_up
from jobs.settings import Settings
from service.errors import StartError
from service.processes import Stack, StopAsked

log = logging.getLogger("service")


def main() -> int:
    """0 after a stop that was asked for, 1 where the service could not start, 2 for bad settings."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            print(f"CNTK_JOBS_{name}: {fault['msg']}, not {fault['input']!r}", file=sys.stderr)
        return 2

    set_up("service", settings.log, stream=sys.stdout, plain="%(message)s")
    with Stack(settings, log.info) as stack:
        try:
            url = stack.start()
            log.info(f"ready     {url}")
            stack.watch()
        except StartError as error:
            set_up("service", settings.log, plain="%(message)s")
            for line in filter(None, (error.log, f"cannot start: {error.line}")):
                log.error(line)
            return 1
        except StopAsked:
            log.info("stopping")
    return 0


if __name__ == "__main__":
    sys.exit(main())
