"""``/v1/tokens``: make, list, change, revoke; for administrators. ``/v1/me``: who is asking."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from fastapi import APIRouter, Depends, Response, status
from starlette.concurrency import run_in_threadpool

from app.admission.access import CallerDep, Guard, administrators_only
from app.body import Document, patch_body
from app.paging import PageSize, Place, page_of
from app.resources.tokens import NEW_TOKEN, TOKEN_EDIT, MadeToken, Me, OwnerQuotas, Token, TokenPage, Use
from app.state import GuardDep, StoreDep, UsageDep
from jobs.access import token_models
from jobs.access.token_models import NewToken, Quotas, TokenEdit, parse_token
from jobs.access.token_use import last_used
from jobs.access.usage import Usage
from jobs.errors import Unavailable
from jobs.specs.structure import parse_as
from jobs.store import Store

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
async def create_token(document: Document, response: Response, guard: GuardDep, store: StoreDep) -> MadeToken:
    token, secret = await run_in_threadpool(make, parse_token(document), guard, store)
    response.headers["Location"] = f"/v1/tokens/{token.id}"
    return MadeToken(**shown(token, {}).model_dump(), token=secret)


def make(asked: NewToken, guard: Guard, store: Store) -> tuple[token_models.Token, str]:
    made = guard.tokens.create(asked, others_administer=guard.administered_by_settings)
    _tell(guard, store)
    return made


@managed.get("", summary="List tokens, newest first; none is shown itself")
def list_tokens(
    guard: GuardDep,
    store: StoreDep,
    page_size: PageSize = 50,
    page_token: Place = None,
) -> TokenPage:
    items, following = page_of(guard.tokens.all(), page_size, page_token)
    used = uses(store)
    return TokenPage(items=[shown(token, used) for token in items], next_page_token=following)


@managed.get("/{token_id}", summary="One token, without itself")
def read_token(token_id: str, guard: GuardDep, store: StoreDep) -> Token:
    return shown(guard.tokens.get(token_id), uses(store))


@managed.patch(
    "/{token_id}",
    summary="Change a token's name, scopes, end, quotas or rate; what it reads stays",
    openapi_extra=patch_body("TokenEdit", TOKEN_EDIT),
)
async def edit_token(token_id: str, document: Document, guard: GuardDep, store: StoreDep) -> Token:
    return await run_in_threadpool(edit, token_id, parse_as(TokenEdit, document), guard, store)


def edit(token_id: str, asked: TokenEdit, guard: Guard, store: Store) -> Token:
    changed = guard.tokens.edit(token_id, asked, others_administer=guard.administered_by_settings)
    _tell(guard, store)
    return shown(changed, uses(store))


@managed.delete(
    "/{token_id}",
    summary="Revoke a token: it opens nothing from now on; doing it again changes nothing",
    status_code=status.HTTP_204_NO_CONTENT,
)
def revoke_token(token_id: str, guard: GuardDep, store: StoreDep) -> None:
    guard.tokens.revoke(token_id, others_administer=guard.administered_by_settings)
    _tell(guard, store)


router.include_router(managed)


@router.get("/me", summary="Who is asking, and what he may")
def read_me(caller: CallerDep, guard: GuardDep, usage: UsageDep) -> Me:
    token = caller.token
    quotas = guard.tokens.quotas().get(caller.name or "", Quotas())
    return Me(
        name=caller.name,
        scope=caller.scope,
        token=token.id if token else None,
        expires_at=token.expires_at if token else None,
        requests_per_minute=token.requests_per_minute if token else None,
        quotas=OwnerQuotas(**quotas.model_dump()),
        use=use_of(caller.name, usage),
    )


def use_of(owner: str | None, usage: Usage) -> Use | None:
    """What the owner has now; None where there is none, or nobody knows."""
    if owner is None:
        return None
    try:
        queued, running = usage.jobs_of(owner)
        return Use(queued=queued, running=running, bytes=usage.bytes_of(owner))
    except Unavailable:
        return None


def _tell(guard: Guard, store: Store) -> None:
    """The volume is the truth: where Redis is away, it is told as soon as it is back."""
    with suppress(Unavailable):
        guard.tell(store)


def uses(store: Store) -> dict[str, datetime]:
    """When each token was last used, as far as is known."""
    try:
        return last_used(store)
    except Unavailable:
        return {}


def shown(token: token_models.Token, used: Mapping[str, datetime]) -> Token:
    return Token(**token.model_dump(exclude={"sha256"}), last_used_at=used.get(token.id))
