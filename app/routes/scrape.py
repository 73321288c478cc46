"""``GET /metrics``: the figures, as whoever asks can read them."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

router = APIRouter(tags=["health"])

EXAMPLE = """# HELP cntk_jobs_redis_up Whether Redis answers; without it no figures of jobs.
# TYPE cntk_jobs_redis_up gauge
cntk_jobs_redis_up 1.0
"""
CONTENT = {
    media_type: {"schema": {"type": "string"}, "example": EXAMPLE}
    for media_type in ("text/plain", "application/openmetrics-text")
}


@router.get(
    "/metrics",
    summary="Figures for Prometheus",
    response_class=Response,
    responses={200: {"content": CONTENT, "description": "Prometheus' text format, or OpenMetrics"}},
)
def read_figures(request: Request) -> Response:
    registry: CollectorRegistry = request.state.registry
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(registry), media_type=media_type)
