"""Photographs of the dashboard, of jobs that a service of its own has trained or trains meanwhile."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page

from client import Client
from client.demo import write_digits
from tests.chromium import chromium
from tests.running_service import ROOT, RunningService, until

EXAMPLES = ROOT / "examples"
RATES = {"0.0003": ["nightly"], "0.003": ["nightly"], "0.03": []}
# The network is never idle: a stream of events stays open.
QUIET = """() => new Promise((resolve) => {
    let timer = setTimeout(resolve, 4000);
    setTimeout(resolve, 10000);
    new MutationObserver(() => (clearTimeout(timer), (timer = setTimeout(resolve, 4000))))
        .observe(document.body, { subtree: true, childList: true });
})"""


def main() -> None:
    elsewhere = Path(sys.argv[1]) if sys.argv[1:] else None
    with tempfile.TemporaryDirectory(prefix="cntk-jobs-") as home, chromium() as browser:
        service = RunningService(Path(home), CNTK_JOBS_WORKERS="1").wait_ready()
        try:
            with service.client() as client:
                places = work(client, Path(home))
            if elsewhere is None:
                for name, scheme in (("jobs", "light"), ("job", "dark"), ("sweep", "light")):
                    path = ROOT / f"docs/pictures/dashboard_{name}.png"
                    take(browser, service.url, places[name], path, scheme)
                    made_small(path)
            else:
                for name, place in places.items():
                    for scheme, width in (("light", 1085), ("dark", 1085), ("light", 400), ("dark", 400)):
                        path = elsewhere / f"{name}-{scheme}-{width}.png"
                        take(browser, service.url, place, path, scheme, width, whole=True)
        finally:
            service.stop()


def work(client: Client, home: Path) -> dict[str, str]:
    """Jobs in every state; what is worth a picture, by name, and its place."""
    write_digits(home / "digits.npz")
    digits = client.datasets.add(home / "digits.npz", **example("options/digits.json"))["id"]
    images = client.datasets.add(home / "digits.npz", **example("options/digits_images.json"))["id"]

    def submit(name: str, file: str, epochs: int | None = None, dataset: str = digits, **changes: Any) -> str:
        spec = example(file) | {"name": name, "dataset": dataset} | changes
        if epochs is not None:
            spec["training"] = spec["training"] | {"epochs": epochs}
        return client.jobs.submit(spec)["id"]

    sweep = client.sweeps.create(example("sweeps/digits_joint.json") | {"spec": spec_of_sweep(digits)})
    until(lambda: ended(client.sweeps.get(sweep["id"])), "the sweep to end", 900)
    seen = [submit("digits-autoencoder", "digits_autoencoder.json", dataset=images)]
    joint = submit("digits-joint", "digits_joint.json")
    for rate, tags in RATES.items():
        learner = {"type": "adam", "alpha": float(rate)}
        about = {"learner": learner, "tags": ["study:rate", *tags]}
        seen.append(submit(f"digits, rate {rate}", "digits_weighted.json", 40, **about))
    start = {"job": joint, "checkpoint": "latest", "mode": "exact"}
    client.jobs.wait(joint)
    seen.append(submit("digits-joint, longer", "digits_joint.json", 30, start_from=start))
    for job in seen:
        client.jobs.wait(job)
    limits = {"max_runtime_s": 2}
    client.jobs.wait(submit("digits, two seconds", "digits_weighted.json", 100_000, limits=limits))
    running = submit("digits, long", "digits_weighted.json", 3000, tags=["baseline"])
    until(lambda: client.jobs.get(running)["progress"]["epoch"] or None, "epochs", 900)
    submit("digits, after", "digits_joint.json", after=[running])
    client.jobs.pause(submit("digits, set aside", "digits_joint.json"))
    client.jobs.cancel(submit("digits, not wanted", "digits_joint.json"))
    until(lambda: (client.jobs.get(running)["progress"]["epoch"] or 0) > 300 or None, "more epochs", 900)
    return {
        "jobs": "jobs",
        "job": f"jobs/{running}",
        "sweep": f"sweeps/{sweep['id']}",
        "checkpoints": f"jobs/{seen[-1]}/checkpoints",
        "results": f"jobs/{joint}/results",
        "pictures": f"jobs/{seen[0]}/results",
        "spec": f"jobs/{seen[-1]}/spec",
        "lineage": f"jobs/{seen[-1]}/lineage",
        "logs": f"jobs/{joint}/logs",
        "history": f"jobs/{joint}/history",
        "compare": f"compare?jobs={seen[1]},{seen[2]},{seen[3]}",
        "submit": "submit",
        "sweeps": "sweeps",
        "datasets": "datasets",
        "models": "models",
        "workers": "workers",
        "webhooks": "webhooks",
        "tokens": "tokens",
    }


def spec_of_sweep(digits: str) -> dict[str, Any]:
    spec = dict(example("sweeps/digits_joint.json")["spec"])
    return spec | {"dataset": digits}


def ended(sweep: Mapping[str, Any]) -> bool | None:
    return sweep["status"] != "running" or None


def example(name: str) -> dict[str, Any]:
    """A document of ``examples/``."""
    return dict(json.loads((EXAMPLES / name).read_text(encoding="utf-8")))


def take(
    browser: Browser, url: str, place: str, path: Path, scheme: str, width: int = 1085, whole: bool = False
) -> None:
    """One place of the dashboard as somebody sees it who opens it; ``whole``: all that can be scrolled to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    context = browser.new_context(viewport={"width": width, "height": 1060}, color_scheme=scheme)  # type: ignore[arg-type]
    page: Page = context.new_page()
    page.goto(f"{url}/#/{place}")
    page.evaluate(QUIET)
    page.screenshot(path=path, full_page=whole)
    context.close()


def made_small(path: Path) -> None:
    """A page has few colours: a table of them is a third of the bytes."""
    with Image.open(path) as whole:
        few = whole.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


if __name__ == "__main__":
    main()
