"""``python -m service``: the whole service in the foreground, until Ctrl-C."""

from __future__ import annotations

import sys

from pydantic import ValidationError

from jobs.settings import Settings
from service.errors import StartError
from service.processes import Stack, StopAsked


def main() -> int:
    """0 after a stop that was asked for, 1 where the service could not start, 2 for bad settings."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            print(f"CNTK_JOBS_{name}: {fault['msg']}, not {fault['input']!r}", file=sys.stderr)
        return 2

    with Stack(settings, _say) as stack:
        try:
            url = stack.start()
            _say(f"ready     {url}")
            stack.watch()
        except StartError as error:
            if error.log:
                print(error.log, file=sys.stderr)
            print(f"cannot start: {error.line}", file=sys.stderr)
            return 1
        except StopAsked:
            _say("stopping")
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
