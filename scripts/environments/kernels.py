"""CNTK's slowest loops, compiled anew: a library that the trainer loads before CNTK's own.

Its functions have the names of CNTK's own and compute the same bits (``in_c/``), many numbers at a time.
It is kept where it compiles and trains the same bits as CNTK alone; without it training is slower, no more.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from environments.steps import SetupError, announce, run

LIBRARY = "libcntk_kernels.so"
SOURCES = Path(__file__).parent / "in_c"
_TEST = Path(__file__).parent / "in_trainer" / "kernels_test.py"
INPUTS = (Path(__file__), _TEST, *sorted(SOURCES.iterdir()))
_CNTK_SHA256 = {
    "libCntk.Math-2.7.so": "6a04cdd3f30372c34034d0dd1e5f4663547aeff1d7f842b30e059d9074569407",
    "libCntk.Core-2.7.so": "f60f0872861613002ee67bd757ddc54c52ecd7a221e470d67123c86eaddecabf",
}
"""Of the libraries whose functions these stand before: they know how those lay out matrices and nodes."""
_OPTIONS = (
    *("-std=gnu11", "-O3", "-fPIC", "-shared", "-mprefer-vector-width=512"),
    # As CNTK was compiled: a product and a sum are rounded one after the other.
    *("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math"),
    # CNTK's exceptions pass through.
    "-fexceptions",
)


def compiler() -> str | None:
    """The C compiler on the PATH, with its version; None where there is none."""
    found = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if found is None:
        return None
    return f"{found}: " + run([found, "--version"], doing=f"ask {found} for its version").splitlines()[0]


def provide(environment: Path, compiler: str | None) -> dict[str, str | None]:
    """Compile the library into ``environment`` and try it: ``sha256``, or None where CNTK is left alone."""
    library = environment / "native" / LIBRARY
    library.unlink(missing_ok=True)
    if compiler is None:
        announce("going on without a C compiler, so CNTK trains slower; cure: apt-get install gcc libc6-dev")
        return {"compiler": None, "sha256": None}
    try:
        _compile(environment, library, compiler.partition(": ")[0])
    except SetupError as error:
        announce(f"leaving CNTK's kernels alone: {error}")
        library.unlink(missing_ok=True)
        return {"compiler": compiler, "sha256": None}
    return {"compiler": compiler, "sha256": hashlib.sha256(library.read_bytes()).hexdigest()}


def _compile(environment: Path, library: Path, compiler: str) -> None:
    """Compile the library; SetupError where it is not for this CNTK, or trains other bits."""
    for name, sha256 in _CNTK_SHA256.items():
        (theirs,) = environment.glob(f"lib/*/site-packages/cntk/libs/{name}")
        if hashlib.sha256(theirs.read_bytes()).hexdigest() != sha256:
            raise SetupError(f"{name} is not the one that ours are for")
    announce("compiling faster kernels for CNTK and comparing their bits with its own")
    run(
        [compiler, *_OPTIONS, "-o", library, *sorted(SOURCES.glob("*.c")), "-ldl", "-lm"],
        doing=f"compile {SOURCES.name} with {compiler}",
    )
    for threads in (1, 2):
        own, faster = (_trained(environment, threads, with_them) for with_them in ([], [library]))
        different = [name for name in own if own[name] != faster[name]]
        if different:
            raise SetupError(f"on {threads} threads other bits come of {', '.join(different)}")


def _trained(environment: Path, threads: int, libraries: list[Path]) -> dict[str, str]:
    """SHA-256 of the parameters of each network of the test, trained with the libraries or with none."""
    limit = str(threads)
    output = run(
        [environment / "bin" / "python", _TEST, limit, *libraries],
        doing=f"train with {LIBRARY}" if libraries else "train without kernels of ours",
        environment={
            "LD_LIBRARY_PATH": str(environment / "native"),
            "OMP_NUM_THREADS": limit,
            "OMP_THREAD_LIMIT": limit,
            "KMP_BLOCKTIME": "0",
        },
    )
    return dict(json.loads(output))
