"""``python -m service.tokens``: make, list, revoke tokens on the volume of this machine, service or not.

``create DOCUMENT`` (as POST /v1/tokens takes it), ``list``, ``revoke ID``. Answers in JSON as the API does.
Whoever can write to the volume rules the service: this asks for no token.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from jobs.access.token_models import Token, parse_token
from jobs.access.tokens import Tokens
from jobs.errors import JobsError
from jobs.settings import Settings


def main(argv: Sequence[str]) -> int:
    """0, or 3 with a line on standard error for each thing that is wrong; 2 for bad settings."""
    try:
        settings = Settings()
    except ValidationError as error:
        print(f"settings: {error}", file=sys.stderr)
        return 2
    others = bool(settings.api_tokens)
    tokens = Tokens(settings.volume)
    tokens.refresh()
    answer: Any
    try:
        match argv:
            case ["create", document]:
                token, secret = tokens.create(parse_token(json.loads(document)), others_administer=others)
                answer = {**_shown(token), "token": secret}
            case ["revoke", token_id]:
                answer = _shown(tokens.revoke(token_id, others_administer=others))
            case ["list"]:
                answer = [_shown(token) for token in tokens.all()]
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except (JobsError, OSError) as error:
        faults = error.faults if isinstance(error, JobsError) else ()
        for line in [f"{fault.pointer}: {fault.detail}" for fault in faults] or [str(error)]:
            print(line, file=sys.stderr)
        return 3
    print(json.dumps(answer))
    return 0


def _shown(token: Token) -> dict[str, Any]:
    return token.model_dump(mode="json", exclude={"sha256"})


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
