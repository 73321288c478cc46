"""The dashboard's own logic, module by module, in the engine that runs it."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from jobs.settings import Settings
from tests.running_api import running_api
from tests.valkey_server import ValkeyServer


@pytest.fixture
def modules(page: Page, valkey: ValkeyServer, tmp_path: Path) -> Iterator[Page]:
    """A page in which modules can be imported."""
    with running_api(Settings(home=tmp_path, redis_url=valkey.url)) as client:
        page.goto(str(client.base_url))
        yield page


def call(page: Page, module: str, function: str, calls: list[list[Any]]) -> list[Any]:
    """What a module's function gives for each list of arguments; null where it gives undefined."""
    script = """async ([module, name, calls]) => {
        const found = await import(`/ui/test/js/${module}.js`);
        return calls.map((one) => found[name](...one) ?? null);
    }"""
    return list(page.evaluate(script, [module, function, calls]))


def document(source: random.Random, depth: int = 0) -> Any:
    """A JSON document without null, which a merge patch cannot give; its keys need escapes."""
    kind = source.choice(["object", "list", "text", "number"] if depth < 3 else ["text", "number"])
    if kind == "object" or depth == 0:
        keys = source.sample(["a", "b/c", "d~e", 'f"g', "h\\i", "é", ""], source.randint(0, 4))
        return {key: document(source, depth + 1) for key in keys}
    if kind == "list":
        return [document(source, depth + 1) for _ in range(source.randint(0, 3))]
    return (
        source.choice(["", "x", 'a "b" {c}', "d\\"])
        if kind == "text"
        else source.choice([0, 1.5, -2e9, True])
    )


def every_place(found: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    yield pointer, found
    if isinstance(found, dict):
        for key, value in found.items():
            yield from every_place(value, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(found, list):
        for index, value in enumerate(found):
            yield from every_place(value, f"{pointer}/{index}")


def merged(target: Any, patch: Any) -> Any:
    """The algorithm of RFC 7396, as it stands there."""
    if not isinstance(patch, dict):
        return patch
    found = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def test_finds_what_a_pointer_names_in_a_text(modules: Page) -> None:
    source = random.Random(1)
    cases = []
    for indent in (None, 2, 4):
        for _ in range(30):
            text = json.dumps(whole := document(source), indent=indent, ensure_ascii=False)
            cases += [(text, pointer, value) for pointer, value in every_place(whole)]
    places = call(modules, "json_text", "locate", [[text, pointer] for text, pointer, _ in cases])
    for (text, pointer, value), (start, end) in zip(cases, places, strict=True):
        assert json.loads(text[start:end]) == value, (text, pointer)


def test_points_at_the_nearest_place_above_what_is_missing(modules: Page) -> None:
    text = '{"learner": {"type": "adam"}, "training": {}}'
    found = call(
        modules, "json_text", "locate", [[text, "/learner/alpha"], [text, "/recipe/input"], [text, ""]]
    )
    assert [text[start:end] for start, end in found] == ['{"type": "adam"}', text, text]


def test_a_merge_patch_makes_one_document_of_the_other(modules: Page) -> None:
    source = random.Random(2)
    pairs = [[document(source), document(source)] for _ in range(200)]
    patches = call(modules, "json_text", "mergePatch", pairs)
    for (before, after), patch in zip(pairs, patches, strict=True):
        assert merged(before, {} if patch is None else patch) == after
    assert call(modules, "json_text", "mergePatch", [[{"a": {"b": 1, "c": 2}}, {"a": {"b": 1}}]]) == [
        {"a": {"c": None}}
    ]


def test_says_numbers_as_people_read_them(modules: Page) -> None:
    said = {
        "figure": [
            (0.18743, "0.1874"),
            (1e-7, "1.000e-7"),
            (0, "0"),
            (12345.6, "12,350"),
            (None, "–"),
            (3, "3"),
        ],
        "duration": [
            (0.42, "0.42 s"),
            (12, "12 s"),
            (59.7, "1 min 00 s"),
            (185, "3 min 05 s"),
            (7620, "2 h 07 min"),
        ],
        "bytes": [
            (0, "0 B"),
            (999, "999 B"),
            (53_400, "53.4 KB"),
            (1.5e9, "1.5 GB"),
            (123_456_789, "123 MB"),
        ],
    }
    for function, cases in said.items():
        assert call(modules, "format", function, [[value] for value, _ in cases]) == [
            text for _, text in cases
        ]


def test_smoothing_starts_at_the_first_value_and_keeps_gaps(modules: Page) -> None:
    values = [4.0, 2.0, None, 2.0]
    plain, smooth = call(modules, "chart", "smoothed", [[values, 0], [values, 0.5]])
    assert plain == values
    # Each weighs twice as much as the one before it: (4/4 + 2/2) / (3/4), (4/8 + 2/4 + 2/2) / (7/8).
    assert smooth == [4.0, pytest.approx(8 / 3), None, pytest.approx(16 / 7)]


LISTS = """async (lists) => {
    const { keyed, keyedInSlices } = await import("/ui/test/js/dom.js");
    const make = (item) => {
        const element = document.createElement("li");
        return { element, update: (now) => (element.textContent = now.text) };
    };
    const [one, other] = [document.createElement("ul"), document.createElement("ul")];
    const shown = [];
    let kept = true;
    for (const items of lists) {
        const before = [...other.children];
        keyed(one, items, (item) => item.id, make);
        // One that is outdated at once, in whatever state it leaves the list, and the one that counts.
        let slices = 0;
        await keyedInSlices(other, [...items].reverse(), (item) => item.id, make, () => (slices += 1) > 1);
        await keyedInSlices(other, items, (item) => item.id, make, () => false);
        const texts = new Set(items.map((item) => item.text));
        kept &&= before.every((element) => other.contains(element) || !texts.has(element.textContent));
        shown.push([one, other].map((list) => [...list.children].map((element) => element.textContent)));
    }
    return [shown, kept];
}"""


def test_lists_are_what_they_should_be_however_they_are_placed(modules: Page) -> None:
    source = random.Random(3)
    lists = []
    for _ in range(30):
        ids = source.sample(range(400), source.randint(0, 300))
        lists.append([{"id": number, "text": f"{number}"} for number in ids])
    shown, kept = modules.evaluate(LISTS, lists)
    for items, (one, other) in zip(lists, shown, strict=True):
        assert one == other == [item["text"] for item in items]
    assert kept


def test_a_parameter_lies_along_its_axis_as_it_was_drawn(modules: Page) -> None:
    script = """async (axes) => {
        const { scaleOf } = await import("/ui/test/js/parallel.js");
        return axes.map((axis) => {
            const { at, ticks } = scaleOf(axis);
            return [axis.values.map(at), ticks];
        });
    }"""
    axes = [
        {"values": [1, 3, 2, 1.5, 2.5]},
        {"values": [0.001, 0.1, 0.01], "log": True},
        {"values": [5, 5]},
        {"values": ["relu", 32, "relu", ["a"]]},
    ]
    straight, log, alone, choices = modules.evaluate(script, axes)
    assert straight == [[0, 1, 0.5, 0.25, 0.75], [[0, "1"], [0.5, "2"], [1, "3"]]]
    assert log[0] == pytest.approx([0, 1, 0.5])
    assert [text for _, text in log[1]] == ["0.001", "0.01", "0.1"]
    assert alone == [[0.5, 0.5], [[0.5, "5"]]]
    assert choices == [[0, 0.5, 0, 1], [[0, "relu"], [0.5, "32"], [1, '["a"]']]]


def test_pointers_are_cut_where_a_step_begins(modules: Page) -> None:
    name = "/learner/learning_rate/rate"
    cut = [[name, 27], [name, 24], [name, 12], [name, 4], ["classification error", 10]]
    assert call(modules, "parallel", "shortened", cut) == [
        name,
        "…/learning_rate/rate",
        "…/rate",
        "…ate",
        "…ion error",
    ]
