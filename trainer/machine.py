"""Which code CNTK's Intel library runs on this processor: chosen once for a job, before anything is computed.

The library of 2018 takes its AVX-512 code on Intel's processors by itself. AMD's get slower code, unless
``MKL_DEBUG_CPU_TYPE`` says otherwise; that is read at the library's first use. With one thread some networks
hang under it, so a spec that leaves the choice (``training.mkl_code`` is "auto") gets it only where a canary
(trainer/canary.py) of the job's kinds of layers has come back. The bits depend on it: a job keeps what its
first attempt took.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, Dict, Optional, Set

from trainer.files import read_json, write_json
from trainer.layout import RunDirectory

VARIABLE = "MKL_DEBUG_CPU_TYPE"
AVX2, AVX512 = "5", "7"
CODES = {"library": None, "avx2": AVX2, "avx512": AVX512}
"""What the variable is for the code that a spec asks for."""
KINDS = {
    "convolution": {
        "average_pooling",
        "batch_normalization",
        "convolution",
        "convolution_transpose",
        "max_pooling",
        "max_unpooling",
        "pretrained",
        "roi_pooling",
    },
    "recurrence": {"gru", "lstm", "rnn"},
}
"""Layers by kind; every other is "dense"."""


def limits(threads: int) -> Dict[str, str]:
    """Variables that hold a process to so many CPU threads."""
    return dict.fromkeys(("OMP_NUM_THREADS", "OMP_THREAD_LIMIT", "MKL_NUM_THREADS"), str(threads))


def kinds(spec: Dict[str, Any]) -> Set[str]:
    """The kinds of layers that a network has."""
    types = {layer["type"] for layer in spec["network"]}
    found = {kind for kind, members in KINDS.items() if types & members}
    return found or {"dense"}


def processor(path: Path = Path("/proc/cpuinfo")) -> Dict[str, Any]:
    """{"vendor", "model", "avx2", "avx512"} of this machine; None for what it does not say."""
    told: Dict[str, str] = {}
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            name, _, value = line.partition(":")
            told.setdefault(name.strip(), value.strip())
    flags = told.get("flags", "").split()
    return {
        "vendor": told.get("vendor_id"),
        "model": told.get("model name"),
        "avx2": "avx2" in flags,
        "avx512": "avx512f" in flags,
    }


def in_question(found: Dict[str, Any]) -> bool:
    """Whether a processor has better code than the library takes by itself."""
    return bool(found["vendor"] == "AuthenticAMD" and found["avx512"])


def verdicts_file(found: Dict[str, Any], threads: int, cntk: str) -> Path:
    """Where the canary's verdicts for processor, threads and version of CNTK are kept."""
    key = json.dumps([found, threads, cntk], sort_keys=True).encode("utf-8")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    return cache / "cntk-jobs" / ("canary-%s.json" % hashlib.sha256(key).hexdigest()[:16])


def sound(spec: Dict[str, Any], found: Dict[str, Any], cntk: str) -> bool:
    """Whether the canary came back for all kinds of layers of a network."""
    path = verdicts_file(found, spec["training"]["threads"], cntk)
    try:
        verdicts = read_json(path)
    except (OSError, ValueError):
        # Nobody has tried yet.
        return False
    return all(verdicts.get(kind, False) for kind in kinds(spec))


def able(chosen: Optional[str], spec: Dict[str, Any], found: Dict[str, Any], cntk: str) -> bool:
    """Whether this machine computes with the code that was chosen for a job."""
    if chosen is None:
        return True
    if asked(spec) == "auto":
        return in_question(found) and sound(spec, found, cntk)
    return bool(found["avx512" if chosen == AVX512 else "avx2"])


def asked(spec: Dict[str, Any]) -> str:
    """The code that a spec asks for; specs of old leave it to the machine."""
    return str(spec["training"].get("mkl_code", "auto"))


def choice(folder: RunDirectory, spec: Dict[str, Any], found: Dict[str, Any], cntk: str) -> Optional[str]:
    """What the job's first attempt chose, or, where this is the first, what is best."""
    known: Optional[str]
    if folder.machine.exists():
        known = read_json(folder.machine)["mkl_cpu_type"]
    elif asked(spec) != "auto":
        known = CODES[asked(spec)]
    elif folder.start.manifest.exists():
        # What continues another job exactly goes on with the same bits.
        known = read_json(folder.start.manifest)["runtime"].get("mkl_cpu_type")
    else:
        known = AVX512 if able(AVX512, spec, found, cntk) else None
    return known


def settle(folder: RunDirectory, spec: Dict[str, Any], cntk: str) -> Dict[str, Any]:
    """Choose for the job in ``folder``, or repeat its choice.

    ``{"cpu", "mkl_cpu_type", "blocktime_ms"}`` as it is now. To be called before anything is computed.
    ``mkl_cpu_type`` is None where the library chooses by itself, also where this machine cannot do what the
    first attempt chose. Milliseconds that threads spin are None where the library's own hold.
    """
    found = processor()
    chosen = choice(folder, spec, found, cntk)
    spinning = os.environ.get("KMP_BLOCKTIME")
    now = {
        "cpu": found["model"],
        "blocktime_ms": None if spinning is None else int(spinning),
    }
    if not folder.machine.exists():
        # The first checkpoint makes it durable: without one there are no bits to keep to.
        about = {"cores": len(os.sched_getaffinity(0)), "threads": spec["training"]["threads"]}
        write_json(folder.machine, dict(now, mkl_cpu_type=chosen, **about), durable=False)
    taken = chosen if able(chosen, spec, found, cntk) else None
    if taken is None:
        os.environ.pop(VARIABLE, None)
    else:
        os.environ[VARIABLE] = taken
    return dict(now, mkl_cpu_type=taken)
