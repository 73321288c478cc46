"""``python -m worker.doctor``: whether trainers start here and uploaded models can be opened, as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

from jobs.settings import Settings
from worker.launch import program_environment, trainer_environment
from worker.sandbox import strongest

LIMIT_S = 50
PROGRAM = "import platform, cntk; print(platform.python_version(), cntk.__version__)"


def main() -> int:
    print(json.dumps(list(checks(Settings()))))
    return 0


def checks(settings: Settings) -> Iterator[dict[str, str]]:
    """Findings as ``service.finding`` has them."""
    found = trainer_environment(settings)
    try:
        done = subprocess.run(
            [found["python"], "-W", "ignore", "-c", PROGRAM],
            env={"PATH": os.defpath, **program_environment(found, threads=1)},
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_S,
        )
    except OSError as error:
        yield _missing("interpreter", f"{found['python']}: {error.strerror}", "run scripts/setup")
    except subprocess.CalledProcessError as error:
        said = (error.stderr.strip().splitlines() or ["it said nothing"])[-1]
        yield _missing("cntk", f"it cannot be imported: {said}", "run scripts/setup")
    except subprocess.TimeoutExpired:
        yield _missing(
            "cntk", f"its import takes more than {LIMIT_S} s", "look at what else this machine does"
        )
    else:
        python, cntk = done.stdout.split()[-2:]
        yield _ok("interpreter", f"CPython {python} at {found['python']}")
        yield _ok("cntk", f"CNTK {cntk}")
    walls = strongest()
    if walls is None:
        yield {
            "name": "sandbox",
            "state": "warning",
            "detail": "neither bubblewrap nor namespaces nor Landlock: uploaded models are refused",
            "cure": "install bubblewrap (on Debian: apt-get install bubblewrap); "
            "in a container allow user namespaces",
        }
    else:
        yield _ok("sandbox", f"uploaded models are opened behind {walls}")


def _ok(name: str, detail: str) -> dict[str, str]:
    return {"name": name, "state": "ok", "detail": detail, "cure": ""}


def _missing(name: str, detail: str, cure: str) -> dict[str, str]:
    return {"name": name, "state": "missing", "detail": detail, "cure": cure}


if __name__ == "__main__":
    sys.exit(main())
