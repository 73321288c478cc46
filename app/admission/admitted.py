"""What every request to the API proper must pass, one check after the other.

FastAPI takes longer to find out what a dependency needs than most of these take to run, so they are one;
app/description.py says of the endpoints that they may be sent a token.
"""

from __future__ import annotations

from fastapi import Request

from app.admission.access import authorised, bearer
from app.admission.negotiation import acceptable
from app.admission.ownership import owners_only
from app.admission.query import known_parameters_only
from app.admission.room import room_on_the_volume


async def admitted(request: Request) -> None:
    """Let a request pass, or raise what is wrong with it; ``request.state.caller`` is who sent it."""
    caller = await authorised(request, await bearer(request))
    await known_parameters_only(request)
    acceptable(request)
    await owners_only(request, caller)
    await room_on_the_volume(request, caller)
