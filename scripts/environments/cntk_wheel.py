"""CNTK's wheel, put into an environment whose pip would refuse it.

The wheel says "CPython 3.6 only", and its extension loads on 3.8 too once it has a name
that every CPython accepts. So it is fetched and hash-checked by pip and unpacked here,
in the same way on both interpreters.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from pathlib import Path

from environments.steps import announce, pip, run

_WHEEL = [
    *("--no-deps", "--require-hashes", "--only-binary", ":all:"),
    *("--implementation", "cp", "--python-version", "36"),
    *("--abi", "cp36m", "--platform", "manylinux1_x86_64"),
]


def install(python: Path, site_packages: Path, lock: Path) -> None:
    """Fetch the wheel that ``lock`` pins, with ``python``'s pip, and unpack it into ``site_packages``."""
    announce("fetching CNTK 2.7 (72 MB)")
    with tempfile.TemporaryDirectory() as folder:
        run(
            [*pip(python), "download", *_WHEEL, "--dest", folder, "-r", lock],
            doing=f"fetch the CNTK wheel of {lock.parent.name}/{lock.name}",
        )
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site_packages)
    for extension in site_packages.glob("_cntk_py.*.so"):
        shutil.move(extension, site_packages / "_cntk_py.so")
