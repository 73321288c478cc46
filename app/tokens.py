"""``/v1/tokens``: make, list, revoke; for administrators. ``/v1/me``: who is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response, status
from starlette.concurrency import run_in_threadpool

from app.access import CallerDep, administrators_only
from app.body import Document
from app.paging import page_of
from app.resources.tokens import NEW_TOKEN, MadeToken, Me, Token, TokenPage
from app.state import GuardDep
from jobs import tokens
from jobs.tokens import parse_token

router = APIRouter(tags=["tokens"])
managed = APIRouter(prefix="/tokens", dependencies=[Depends(administrators_only)])

BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"$ref": "#/components/schemas/NewToken"},
                "example": NEW_TOKEN,
            }
        },
    }
}


@managed.post(
    "",
    summary="Make a token; this answer alone shows it",
    status_code=status.HTTP_201_CREATED,
    responses={201: {"headers": {"Location": {"schema": {"type": "string"}}}}},
    openapi_extra=BODY,
)
async def create_token(document: Document, response: Response, guard: GuardDep) -> MadeToken:
    asked = parse_token(document)
    token, secret = await run_in_threadpool(
        guard.tokens.create, asked, others_administer=guard.administered_by_settings
    )
    response.headers["Location"] = f"/v1/tokens/{token.id}"
    return MadeToken(**shown(token).model_dump(), token=secret)


@managed.get("", summary="List tokens, newest first; none is shown itself")
def list_tokens(
    guard: GuardDep,
    page_size: Annotated[int, Query(ge=1, le=500)] = 50,
    page_token: Annotated[str | None, Query(description="next_page_token of the page before")] = None,
) -> TokenPage:
    items, following = page_of(guard.tokens.all(), page_size, page_token)
    return TokenPage(items=[shown(token) for token in items], next_page_token=following)


@managed.get("/{token_id}", summary="One token, without itself")
def read_token(token_id: str, guard: GuardDep) -> Token:
    return shown(guard.tokens.get(token_id))


@managed.delete(
    "/{token_id}",
    summary="Revoke a token: it opens nothing from now on; doing it again changes nothing",
    status_code=status.HTTP_204_NO_CONTENT,
)
def revoke_token(token_id: str, guard: GuardDep) -> None:
    guard.tokens.revoke(token_id, others_administer=guard.administered_by_settings)


router.include_router(managed)


@router.get("/me", summary="Who is asking, and what he may")
async def read_me(caller: CallerDep) -> Me:
    token = caller.token
    return Me(
        name=caller.name,
        scope=caller.scope,
        token=token.id if token else None,
        expires_at=token.expires_at if token else None,
    )


def shown(token: tokens.Token) -> Token:
    return Token(**token.model_dump(exclude={"sha256"}), last_used_at=None)
