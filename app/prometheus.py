"""``/metrics``: what Prometheus reads. docs/observability.md lists every name; a test holds it to this.

Figures about jobs come from Redis at each scrape, so every API process tells the same; those about
HTTP are of the process that answers.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from jobs.errors import Unavailable
from jobs.queries.overview import Overview, overview
from jobs.store import Store
from jobs.totals import Histogram
from trainer.layout import Volume

log = logging.getLogger(__name__)


class JobsCollector(Collector):
    """The jobs, the queue, the workers, Redis and the volume, looked at whenever somebody asks."""

    def __init__(self, store: Store, volume: Volume) -> None:
        self._store = store
        self._volume = volume

    def describe(self) -> Iterable[Metric]:
        """Nothing: a registry would otherwise collect to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        yield from _of_volume(self._volume)
        up = GaugeMetricFamily("cntk_jobs_redis_up", "Whether Redis answers; without it no figures of jobs.")
        try:
            found = overview(self._store)
        except Unavailable:
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _of_queue(found)
        yield from _of_training(found)
        yield from _of_workers(found)
        yield _of_webhooks(found)


def _of_queue(found: Overview) -> Iterator[Metric]:
    jobs = GaugeMetricFamily("cntk_jobs_jobs", "Jobs by kind and state.", labels=["kind", "state"])
    for (kind, state), count in found.jobs.items():
        jobs.add_metric([kind.value, state.value], count)
    yield jobs
    depth = GaugeMetricFamily(
        "cntk_jobs_queue_depth", "Jobs that a worker may take, by what they require.", labels=["requires"]
    )
    oldest = GaugeMetricFamily(
        "cntk_jobs_queue_oldest_wait_seconds",
        "How long the one of them that was ready first has waited.",
        labels=["requires"],
    )
    for waiting in found.waiting:
        depth.add_metric([waiting.requires], waiting.depth)
        oldest.add_metric([waiting.requires], waiting.oldest_s)
    yield depth
    yield oldest
    yield _gauge("cntk_jobs_queue_delayed", "Queued jobs that wait before their next attempt.", found.delayed)
    yield _gauge("cntk_jobs_model_imports_waiting", "Base models that are to be imported.", found.imports)
    yield _histogram(
        "cntk_jobs_queue_wait_seconds", "From being queued to being taken by a worker.", found.totals.waits
    )
    entered = CounterMetricFamily(
        "cntk_jobs_transitions",
        "Changes of state, by the new state and its reason; into running: attempts.",
        labels=["state", "reason"],
    )
    for (target, reason), count in found.totals.entered.items():
        entered.add_metric([target.value, reason.value], count)
    yield entered


def _of_training(found: Overview) -> Iterator[Metric]:
    totals = found.totals
    yield _gauge(
        "cntk_jobs_training_samples_per_second",
        "Samples a second of all jobs that train now, together.",
        found.samples_per_second,
    )
    yield _counter("cntk_jobs_trained_samples", "Samples trained.", totals.samples)
    yield _counter("cntk_jobs_trained_minibatches", "Minibatches trained.", totals.minibatches)
    phases = CounterMetricFamily(
        "cntk_jobs_phase_seconds", "Time that jobs spent queued, starting and training.", labels=["phase"]
    )
    for phase, ms in totals.phase_ms.items():
        phases.add_metric([phase], ms / 1000)
    yield phases
    yield _histogram("cntk_jobs_checkpoint_seconds", "From deciding to save to published.", totals.saves)
    yield _counter("cntk_jobs_checkpoint_bytes", "Bytes of all published checkpoints.", totals.saved_bytes)


def _of_workers(found: Overview) -> Iterator[Metric]:
    workers = GaugeMetricFamily("cntk_jobs_workers", "Workers heard of lately.", labels=["state"])
    busy = sum(worker.busy for worker in found.workers)
    workers.add_metric(["busy"], busy)
    workers.add_metric(["idle"], len(found.workers) - busy)
    yield workers
    age = GaugeMetricFamily(
        "cntk_jobs_worker_heartbeat_age_seconds",
        "Since a worker was last heard of; it is gone from here after 15 s.",
        labels=["worker", "host"],
    )
    for worker in found.workers:
        age.add_metric([worker.name, worker.host], worker.age_s)
    yield age
    yield _gauge(
        "cntk_jobs_leases_expired",
        "Running jobs whose worker no longer renews its lease and that nobody has queued again yet.",
        found.leases_expired,
    )


def _of_webhooks(found: Overview) -> Metric:
    attempts = CounterMetricFamily(
        "cntk_jobs_webhook_attempts", "Attempts to tell a webhook, by how they ended.", labels=["outcome"]
    )
    names = {"delivered": "delivered", "pending": "tried_again_later", "failed": "given_up"}
    for end, count in found.totals.told.items():
        attempts.add_metric([names[end]], count)
    return attempts


def _of_volume(volume: Volume) -> Iterator[Metric]:
    try:
        usage = shutil.disk_usage(volume.path)
    except OSError as error:
        log.warning("the volume cannot be measured: %s", error)
        return
    yield _gauge("cntk_jobs_volume_free_bytes", "What is free on the volume.", usage.free)
    yield _gauge("cntk_jobs_volume_size_bytes", "How large the volume is.", usage.total)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _counter(name: str, told: str, value: float) -> Metric:
    return CounterMetricFamily(name, told, value=value)


def _histogram(name: str, told: str, found: Histogram) -> Metric:
    """Prometheus' buckets are cumulative and in seconds."""
    buckets, total = [], 0
    for bound, count in zip([*(str(ms / 1000) for ms in found.bounds_ms), "+Inf"], found.counts, strict=True):
        total += count
        buckets.append((bound, total))
    return HistogramMetricFamily(name, told, buckets=buckets, sum_value=found.sum_ms / 1000)
