"""The dashboard's files: our own, the examples, and the chart library that a package ships."""

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
CHARTS = "plotly.min.js"


@dataclass(frozen=True)
class Asset:
    """One file as it is sent: its bytes, the same compressed, and its media type."""

    content: bytes
    compressed: bytes
    media_type: str


@dataclass(frozen=True)
class Assets:
    """All files by their path below ``/ui/<digest>/``, and the page itself.

    The digest changes with any byte of any file, so that browsers may keep files for ever.
    """

    digest: str
    index: bytes
    files: dict[str, Asset]

    def find(self, path: str) -> Asset | None:
        """The file of this path; None where there is none."""
        return chart_library() if path == CHARTS else self.files.get(path)


@functools.cache
def assets() -> Assets:
    """The dashboard as it was when it was first asked for."""
    own = {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in sorted(STATIC.rglob("*"))
        if path.is_file()
    }
    page = own.pop("index.html").decode()
    own["examples.json"] = examples()
    seen = hashlib.sha256(version("plotly").encode() + page.encode())
    for name, content in own.items():
        seen.update(name.encode() + content)
    digest = seen.hexdigest()[:16]
    # Told at once, the modules need no round trip for each level of their imports.
    modules = "\n    ".join(
        f'<link rel="modulepreload" href="/ui/{digest}/{name}">'
        for name in own
        if name.startswith("js/") and name != "js/theme.js"
    )
    page = page.replace("{{ui}}", f"/ui/{digest}").replace("{{modules}}", modules)
    return Assets(digest, page.encode(), {name: _asset(name, content) for name, content in own.items()})


@functools.cache
def chart_library() -> Asset:
    """plotly.js, which only pages with charts load."""
    package = find_spec("plotly")
    assert package is not None
    assert package.origin is not None
    return _asset(CHARTS, (Path(package.origin).parent / "package_data" / CHARTS).read_bytes())


def examples() -> bytes:
    """The specs of ``examples/`` by name, as one JSON document; empty where the folder is not installed."""
    load: Callable[[Path], object] = lambda path: json.loads(path.read_text(encoding="utf-8"))  # noqa: E731
    return json.dumps({path.stem: load(path) for path in sorted(EXAMPLES.glob("*.json"))}).encode()


def _asset(name: str, content: bytes) -> Asset:
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/") or kind == "application/javascript":
        kind += "; charset=utf-8"
    return Asset(content, gzip.compress(content, 6, mtime=0), kind)
