"""The pages' files: our own, the examples, and the libraries that packages ship."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import mimetypes
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

STATIC = Path(__file__).parent / "static"
EXAMPLES = Path(__file__).parents[2] / "examples"
PAGES = ("index.html", "docs.html")
SHIPPED = {
    "plotly.min.js": ("plotly", "package_data/plotly.min.js"),
    "swagger-ui.js": ("fastapi_offline", "static/swagger-ui-bundle.js"),
    "swagger-ui.css": ("fastapi_offline", "static/swagger-ui.css"),
}
"""Files of installed packages: which package, and where in it."""
APART = ("js/theme.js", "js/docs.js")
"""Scripts that are no modules of the dashboard."""


@dataclass(frozen=True)
class Asset:
    """One file as it is sent: its bytes, the same compressed, and its media type."""

    content: bytes
    compressed: bytes
    media_type: str


@dataclass(frozen=True)
class Assets:
    """All files by their path below ``/ui/<digest>/``, and the pages by their name.

    The digest changes with any byte of any file, so that browsers may keep files for ever.
    """

    digest: str
    pages: dict[str, bytes]
    files: dict[str, Asset]

    def find(self, path: str) -> Asset | None:
        """The file of this path; None where there is none."""
        return shipped(path) if path in SHIPPED else self.files.get(path)


@functools.cache
def assets() -> Assets:
    """The pages as they were when they were first asked for."""
    own = {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }
    pages = {name: own.pop(name).decode() for name in PAGES}
    own["examples.json"] = examples()
    seen = hashlib.sha256()
    for package in sorted({package for package, _ in SHIPPED.values()}):
        seen.update(version(package).encode())
    for name, content in (*own.items(), *((name, page.encode()) for name, page in pages.items())):
        seen.update(name.encode() + content)
    digest = seen.hexdigest()[:16]
    # Told at once, the modules need no round trip for each level of their imports.
    modules = "\n    ".join(
        f'<link rel="modulepreload" href="/ui/{digest}/{name}">'
        for name in own
        if name.startswith("js/") and name not in APART
    )
    return Assets(
        digest,
        {
            name: page.replace("{{ui}}", f"/ui/{digest}").replace("{{modules}}", modules).encode()
            for name, page in pages.items()
        },
        {name: _asset(name, content) for name, content in own.items()},
    )


@functools.cache
def shipped(name: str) -> Asset:
    """A file of a package, read when a page first asks for it."""
    package, path = SHIPPED[name]
    found = find_spec(package)
    assert found is not None
    assert found.origin is not None
    return _asset(name, (Path(found.origin).parent / path).read_bytes())


def examples() -> bytes:
    """The specs of ``examples/`` by name, as one JSON document; empty where the folder is not installed."""
    load: Callable[[Path], object] = lambda path: json.loads(path.read_text(encoding="utf-8"))  # noqa: E731
    return json.dumps({path.stem: load(path) for path in sorted(EXAMPLES.glob("*.json"))}).encode()


def _asset(name: str, content: bytes) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind == "application/javascript":
        kind += "; charset=utf-8"
    return Asset(content, gzip.compress(content, 6, mtime=0), kind)
