"""``python -m app``: serve the API with the settings of the environment."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from app.access import refusal_to_bind
from app.main import create_app
from jobs.settings import Settings

STOP_SECONDS = 5
"""How long answers under way may take once the server was asked to stop."""


def main() -> int:
    """Serve until SIGINT or SIGTERM. 2 where the settings do not permit it."""
    try:
        settings = Settings()
    except ValidationError as error:
        for fault in error.errors():
            name = "_".join(str(part) for part in fault["loc"]).upper()
            print(f"cntk-jobs: CNTK_JOBS_{name}: {fault['msg']}", file=sys.stderr)
        return 2
    refusal = refusal_to_bind(settings)
    if refusal:
        print(f"cntk-jobs: {refusal}", file=sys.stderr)
        return 2
    app = create_app(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
    )
    app.state.stopping = lambda: server.should_exit
    server.run()
    return 0 if server.started else 1


if __name__ == "__main__":
    sys.exit(main())
