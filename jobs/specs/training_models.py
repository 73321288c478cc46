"""How a job trains, which checkpoints it keeps, and what it may take."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from jobs.settings import MOST_BLOCKTIME_MS, MklCode, Threads
from jobs.specs.part_models import Strict


class EarlyStopping(Strict):
    """End when ``patience`` epochs in a row did not better the watched value by ``min_delta``."""

    patience: int = Field(ge=1)
    min_delta: float = Field(default=0.0, ge=0)


class Training(Strict):
    epochs: int = Field(ge=1, le=1_000_000_000, description="passes over the training split")
    minibatch_size: int = Field(default=64, ge=1, description="examples a step")
    seed: int = Field(default=1, ge=0, lt=2**31)
    shuffle: bool = True
    permutation: Literal["drawn", "computed"] | None = Field(
        default=None,
        description="how rows are shuffled for an epoch: drawn as a whole at its start (8 bytes a row), or "
        "computed as they come; without it computed where the training split has more than a million rows, "
        "and as in the job that is continued",
    )
    threads: Threads | None = Field(
        default=None,
        description="CPU threads; the bits depend on it. auto, as without it: what the service is set to, or "
        "else as many as the network gains by and workers have cores for; as in the job that is continued",
    )
    mkl_code: MklCode | None = Field(
        default=None,
        description="instructions that Intel's library computes with; the bits depend on it: auto (AVX-512 "
        "on AMD's processors too, where a canary of such layers has come back), library (what it takes by "
        "itself), avx2 or avx512",
    )
    blocktime_ms: int | None = Field(
        default=None,
        ge=0,
        le=MOST_BLOCKTIME_MS,
        description="how long threads that have nothing to do spin before they sleep",
    )
    early_stopping: EarlyStopping | None = None
    rate_factors: dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        default=None, description="layer to what the learner's rate is multiplied by for it; 1 for the others"
    )
    bias_rate_factor: float | None = Field(
        default=None,
        gt=0,
        description="what the rate of each bias is multiplied by, beside its layer's factor",
    )


class CheckpointRules(Strict):
    # Hashable, so that pydantic need not copy it for each spec that leaves it out.
    model_config = ConfigDict(frozen=True)

    every_epochs: int | None = Field(default=1, ge=1)
    every_minibatches: int | None = Field(default=None, ge=1)
    keep_last: int = Field(default=2, ge=1)
    keep_best: int = Field(default=1, ge=0)
    keep_bytes: int | None = Field(
        default=None, ge=1, description="of all that are kept; the newest stays and pinned ones do, whatever"
    )


Duration = Annotated[float, Field(gt=0, le=10 * 366 * 24 * 3600)]
"""Seconds; at most ten years, which whoever reckons with times can hold."""


class Limits(Strict):
    """What a job may take; what is left out has no limit. A trainer saves before it leaves, if it can."""

    # Hashable, so that pydantic need not copy it for each spec that leaves it out.
    model_config = ConfigDict(frozen=True)

    max_runtime_s: Duration | None = Field(default=None, description="running, over all attempts")
    max_queue_s: Duration | None = Field(
        default=None, description="waiting for a worker, since it was submitted, resumed or retried"
    )
    stall_s: Duration | None = Field(
        default=None, description="without a sign of life; if left out, the service's own limit"
    )
    memory_bytes: int | None = Field(default=None, ge=1, description="resident, over all its processes")
