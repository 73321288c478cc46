"""The pictures that recipes leave, as the page of their job shows them: of jobs that were really trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from client import Client
from client.demo import write_digits
from examples import shapes
from tests.browser.conftest import example, suits_every_reader
from tests.running_service import RunningService

COLOURS = """(image) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
    const drawing = canvas.getContext("2d");
    drawing.drawImage(image, 0, 0);
    return new Set(new Uint32Array(drawing.getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size;
}"""


def results_of(
    page: Page, service: RunningService, client: Client, spec: dict[str, Any]
) -> dict[str, Locator]:
    """The pictures by their captions, of a job that is trained here."""
    job = client.jobs.wait(client.jobs.submit(spec)["id"])
    assert job["status"] == "succeeded", job["detail"]
    page.goto(f"{service.url}/#/jobs/{job['id']}/results")
    figures = page.locator(".pictures figure")
    expect(figures.first).to_be_visible()
    found = {}
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        caption = figure.locator("figcaption").inner_text()
        expect(figure.get_by_role("img", name=caption)).to_be_visible()
        found[caption] = figure.get_by_role("img")
    return found


def colours(picture: Locator) -> int:
    """How many there are, once the picture is there: a blank one has one."""
    picture.evaluate("(image) => image.decode()")
    return int(picture.evaluate(COLOURS))


def small(name: str, dataset: str, **changes: Any) -> dict[str, Any]:
    spec = example(name) | {"dataset": dataset} | changes
    return spec | {"training": spec["training"] | {"epochs": 1}}


def test_shows_what_an_autoencoder_rebuilds(
    page: Page, service: RunningService, client: Client, tmp_path: Path
) -> None:
    write_digits(tmp_path / "digits.npz")
    images = client.datasets.add(tmp_path / "digits.npz", **example("options/digits_images.json"))["id"]
    pictures = results_of(page, service, client, small("digits_autoencoder.json", images))
    rebuilt = pictures["Nodes of the network for some rows: inputs, codes, what was rebuilt"]
    # The shades of grey of an input have been quantized to 17, those of what is rebuilt have not.
    assert colours(rebuilt) > 50
    suits_every_reader(page)


@pytest.fixture
def drawn(client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A few shapes with boxes, and proposals that the service makes."""
    monkeypatch.setattr(shapes, "COUNTS", dict.fromkeys(shapes.COUNTS, 12))
    shapes.write(tmp_path / "shapes.zip")
    return client.datasets.add(tmp_path / "shapes.zip", **example("options/shapes_boxes.json"))["id"]


def test_shows_what_a_detector_finds(page: Page, service: RunningService, client: Client, drawn: str) -> None:
    pictures = results_of(page, service, client, small("shapes_detector.json", drawn))
    for caption in (
        "Detections, and what is annotated dashed",
        "Detections before overlapping ones are suppressed",
        "Precision by recall, for each class",
    ):
        assert colours(pictures[caption]) > 50, caption
    suits_every_reader(page)
