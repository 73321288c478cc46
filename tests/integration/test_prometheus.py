"""/metrics on real jobs: parsed by Prometheus' own parser, and compared with what happened."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from jobs.states import State
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer
from tests.workplace import Workplace

DOCS = Path(__file__).parents[2] / "docs"
ALERTS = DOCS / "prometheus-alerts.yml"
PAGE = (DOCS / "observability.md").read_text(encoding="utf-8")
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(api: httpx.Client) -> Samples:
    answer = api.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[f"cntk_jobs_{name}", frozenset(labels.items())]


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Workplace]:
    with Workplace(tmp_path, valkey.url) as place:
        yield place


def test_what_happened_to_jobs_is_counted(place: Workplace) -> None:
    with running_api(place.settings) as api:
        fresh = scraped(api)
        assert value(fresh, "jobs", kind="training", state="queued") == 0
        assert value(fresh, "transitions_total", state="running", reason="starting") == 0
        well = place.submit(steps=6, checkpoint_every=2).id
        ill = place.submit(steps=4, checkpoint_every=2, crash_at=3).id
        waiting = place.submit(spec={"requires": {"device": ["gpu"]}}).id
        paused = place.submit().id
        place.store.request_pause(paused)
        queued = scraped(api)
        assert value(queued, "jobs", kind="training", state="queued") == 3
        assert value(queued, "jobs", kind="training", state="paused") == 1
        assert value(queued, "queue_depth", requires="") == 2
        assert value(queued, "queue_depth", requires="device=gpu") == 1
        assert value(queued, "workers", state="idle") == 0

        place.start_worker()
        place.wait_for(well, State.SUCCEEDED)
        place.wait_for(ill, State.FAILED)
        place.wait_until(lambda: value(scraped(api), "workers", state="idle") == 1)
        found = scraped(api)

    attempts = place.store.get(ill).attempt
    assert attempts > 1
    assert value(found, "jobs", kind="training", state="succeeded") == 1
    assert value(found, "jobs", kind="training", state="failed") == 1
    assert value(found, "transitions_total", state="running", reason="starting") == 1 + attempts
    assert value(found, "transitions_total", state="queued", reason="crashed") == attempts - 1
    assert value(found, "transitions_total", state="queued", reason="submitted") == 4
    assert value(found, "transitions_total", state="failed", reason="crashed") == 1
    # The second job crashes on its third step, in each attempt, and goes on from the second.
    assert value(found, "trained_minibatches_total") == 6 + 3 + (attempts - 1)
    assert value(found, "trained_samples_total") == 10 * (6 + 3 + (attempts - 1))
    records = [place.store.get(job_id) for job_id in (well, ill)]
    for phase in ("starting", "training"):
        spent = sum(getattr(record, f"{phase}_ms") for record in records)
        assert value(found, "phase_seconds_total", phase=phase) == pytest.approx(spent / 1000)
    published = len(list(place.volume.jobs.glob("*/checkpoints/*")))
    assert published == 3 + 1
    assert value(found, "checkpoint_seconds_count") == published
    assert value(found, "checkpoint_bytes_total") == sum(
        path.stat().st_size for path in place.volume.jobs.glob("*/checkpoints/*/loop.json")
    )
    assert value(found, "queue_wait_seconds_count") == 1 + attempts
    assert value(found, "queue_wait_seconds_bucket", le="+Inf") == 1 + attempts
    assert value(found, "queue_depth", requires="device=gpu") == 1
    assert value(found, "queue_oldest_wait_seconds", requires="device=gpu") > 0
    assert place.store.get(waiting).state is State.QUEUED
    [age] = [v for (name, _), v in found.items() if name == "cntk_jobs_worker_heartbeat_age_seconds"]
    assert 0 <= age < 15
    disk = shutil.disk_usage(place.volume.path)
    assert value(found, "volume_size_bytes") == disk.total


def test_the_speed_of_jobs_that_train(place: Workplace) -> None:
    with running_api(place.settings) as api:
        for speed in (100.0, 23.5):
            job_id = place.submit().id
            assert place.store.claim(job_id, worker=f"w{speed}", lease_seconds=60)
            progress = {"samples_per_second": speed, "samples": 10, "step": 1}
            place.store.report(job_id, 1, fields={"progress": progress}, training=True)
        # One that has not come to its first minibatch counts for nothing yet.
        starting = place.submit().id
        assert place.store.claim(starting, worker="w", lease_seconds=0.001)
        time.sleep(0.01)
        found = scraped(api)
    assert value(found, "training_samples_per_second") == 123.5
    # The reconciler may have been there already.
    assert value(found, "leases_expired") in (0, 1)


def test_requests_are_counted_by_route(place: Workplace) -> None:
    job_id = place.submit().id
    with running_api(place.settings) as api:
        assert api.get(f"/v1/jobs/{job_id}").status_code == 200
        for _ in range(2):
            assert api.get("/v1/jobs/job_nothing").status_code == 404
        assert api.get("/no/such/place").status_code == 404
        found = scraped(api)
    route = "/v1/jobs/{job_id}"
    assert value(found, "http_requests_total", method="GET", route=route, status="200") == 1
    assert value(found, "http_requests_total", method="GET", route=route, status="404") == 2
    assert value(found, "http_requests_total", method="GET", route="none", status="404") == 1
    assert value(found, "http_response_seconds_count", method="GET", route=route) == 3
    assert value(found, "http_open_requests") == 1


def test_figures_without_redis(place: Workplace, valkey: ValkeyServer) -> None:
    with running_api(place.settings) as api:
        assert value(scraped(api), "redis_up") == 1
        valkey.stop()
        found = scraped(api)
    assert value(found, "redis_up") == 0
    assert value(found, "volume_free_bytes") > 0
    assert not any(name.startswith("cntk_jobs_queue") for name, _ in found)


def test_figures_need_a_token_where_there_are_any(place: Workplace) -> None:
    settings = place.settings.model_copy(update={"api_tokens": (SecretStr("secret"),)})
    with running_api(settings) as api:
        assert api.get("/metrics").status_code == 401
        assert api.get("/metrics", headers={"Authorization": "Bearer secret"}).status_code == 200


def test_open_metrics_where_it_is_asked_for(place: Workplace) -> None:
    with running_api(place.settings) as api:
        answer = api.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in open_metrics(answer.text)}
    assert names >= {"cntk_jobs_jobs", "cntk_jobs_transitions"}


def test_the_page_names_every_figure_with_its_labels(place: Workplace) -> None:
    rows = re.findall(r"^\| `(cntk_jobs_\w+)` \| (\w+) \| (.*?) \|", PAGE, re.MULTILINE)
    shown = {
        name.removesuffix("_total"): (kind, frozenset(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in rows
    }
    with running_api(place.settings) as api:
        place.start_worker()
        place.wait_until(lambda: value(scraped(api), "workers", state="idle") == 1)
        text = api.get("/metrics").text
    told = {
        family.name: (
            family.type,
            frozenset(label for sample in family.samples for label in sample.labels) - {"le"},
        )
        for family in text_string_to_metric_families(text)
        if not all(sample.name.endswith("_created") for sample in family.samples)
    }
    assert told == shown


def test_alerting_rules_are_rules_on_figures_that_there_are(tmp_path: Path) -> None:
    rules = [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]
    known = set(re.findall(r"`(cntk_jobs_\w+)`", PAGE))
    known |= {f"{name}_{part}" for name in known for part in ("sum", "count", "bucket")}
    for rule in rules:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"]["summary"]
        named = set(re.findall(r"\bcntk_jobs_\w+", rule["expr"]))
        assert named, rule
        assert named <= known, rule
        for opening, closing in ("()", "[]", "{}"):
            assert rule["expr"].count(opening) == rule["expr"].count(closing)
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names))
    if shutil.which("promtool"):
        subprocess.run(["promtool", "check", "rules", ALERTS], check=True, cwd=tmp_path)
