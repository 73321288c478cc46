"""Real training attempts without the service: a data set, a spec, a trainer process, its run directory."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jobs.base_models.in_jobs import link
from jobs.settings import Settings
from jobs.specs.normalise import normalise
from trainer.files import complete_lines, read_json, write_json
from trainer.layout import RunDirectory, Volume
from worker.launch import thread_limits

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Sparse:
    """Compressed rows of a sparse field."""

    values: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    dimension: int

    @classmethod
    def of(cls, dense: np.ndarray) -> Sparse:
        rows, columns = np.nonzero(dense)
        indptr = np.concatenate(([0], np.cumsum(np.bincount(rows, minlength=len(dense)))))
        return cls(dense[rows, columns], columns, indptr, dense.shape[1])

    def __len__(self) -> int:
        return len(self.indptr) - 1


@dataclass
class Sequences:
    """``steps`` of all rows (or sparse ones), one row after the other."""

    steps: np.ndarray | Sparse
    lengths: np.ndarray

    @property
    def offsets(self) -> np.ndarray:
        return np.concatenate(([0], np.cumsum(self.lengths))).astype(np.int64)

    def __len__(self) -> int:
        return len(self.lengths)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """The numbers of the steps of some rows."""
        return np.concatenate([np.arange(self.offsets[row], self.offsets[row + 1]) for row in rows])


Column = np.ndarray | Sparse | Sequences


class Workshop:
    """A volume in a temporary folder and an interpreter that has CNTK."""

    def __init__(self, home: Path, environment: Mapping[str, Any]) -> None:
        self.settings = Settings(home=home)
        self.volume: Volume = self.settings.volume
        self.environment = environment
        self.variables: dict[str, str] = {}
        """Further ones of the trainers' environment."""

    def dataset(
        self,
        name: str,
        columns: Mapping[str, Column],
        splits: Mapping[str, np.ndarray],
        lacks: Mapping[str, list[str]] | None = None,
    ) -> str:
        """A data set from arrays: one-dimensional integers are categorical, other arrays dense.

        ``lacks``: the fields that the rows of a split have nothing of.
        """
        folder = self.volume.dataset(f"ds_{name}")
        folder.path.mkdir(parents=True)
        fields: dict[str, Any] = {}
        for field, values in columns.items():
            if isinstance(values, Sequences):
                fields[field] = self._sequences(folder.path, field, values, splits)
                alike = (
                    name
                    for name, other in columns.items()
                    if isinstance(other, Sequences) and np.array_equal(other.lengths, values.lengths)
                )
                fields[field]["axis"] = next(alike)
            else:
                fields[field] = self._column(folder.path, field, values, splits)
        for split, rows in splits.items():
            np.save(folder.file(f"{split}.npy"), np.asarray(rows, dtype=np.int64))
        write_json(
            folder.schema,
            {
                "schema_version": 1,
                "id": f"ds_{name}",
                "name": name,
                "created_at": "2026-01-01T00:00:00Z",
                "format": "npz",
                "rows": len(next(iter(columns.values()))),
                "size": 1,
                "sources": [],
                "options": {},
                "fields": fields,
                "splits": {
                    split: {
                        "rows": len(rows),
                        "file": f"{split}.npy",
                        "lacks": (lacks or {}).get(split, []),
                    }
                    for split, rows in splits.items()
                },
            },
        )
        return f"ds_{name}"

    def _sequences(
        self, folder: Path, field: str, values: Sequences, splits: Mapping[str, np.ndarray]
    ) -> Any:
        np.save(folder / f"{field}.offsets.npy", values.offsets)
        found = self._column(folder, field, values.steps, {"train": values.of(splits["train"])})
        found["files"]["offsets"] = f"{field}.offsets.npy"
        return found | {
            "sequence": True,
            "min_length": int(values.lengths.min()),
            "max_length": int(values.lengths.max()),
        }

    def _column(
        self, folder: Path, field: str, values: np.ndarray | Sparse, splits: Mapping[str, np.ndarray]
    ) -> Any:
        if isinstance(values, Sparse):
            arrays = {
                "values": values.values.astype(np.float32),
                "indices": values.indices.astype(np.int32),
                "indptr": values.indptr.astype(np.int64),
            }
            for role, array in arrays.items():
                np.save(folder / f"{field}.{role}.npy", array)
            files = {role: f"{field}.{role}.npy" for role in arrays}
            return {
                "kind": "sparse",
                "shape": [values.dimension],
                "dtype": "float32",
                "count": len(values),
                "files": files,
            }
        train = values[np.asarray(splits["train"])]
        found: dict[str, Any] = {"count": len(values), "files": {"values": f"{field}.npy"}}
        if values.dtype.kind in "iu" and values.ndim == 1:
            classes = int(values.max()) + 1
            np.save(folder / f"{field}.npy", values.astype(np.int32))
            return found | {
                "kind": "categorical",
                "shape": [classes],
                "dtype": "int32",
                "classes": [str(k) for k in range(classes)],
                "histogram": np.bincount(train, minlength=classes).tolist(),
            }
        if values.dtype != np.uint8:
            values = values.astype(np.float32)
        values = values.reshape(len(values), *(values.shape[1:] or (1,)))
        np.save(folder / f"{field}.npy", values)
        about = {"kind": "dense", "shape": list(values.shape[1:]), "dtype": values.dtype.name}
        if not len(train):
            return found | about
        train = train.reshape(len(train), -1).astype(np.float64)
        if values.ndim == 2 and values.shape[1] > 1 and values.min() >= 0 and values.max() <= 1:
            sums = values.sum(axis=1, dtype=np.float64)
            found["row_sum"] = [float(sums.min()), float(sums.max())]
        return {
            **found,
            **about,
            "min": float(values.min()),
            "max": float(values.max()),
            "mean": train.mean(0).tolist(),
            "std": train.std(0).tolist(),
        }

    def job(
        self,
        name: str,
        spec: Mapping[str, Any],
        start: RunDirectory | None = None,
        samples: int | None = None,
    ) -> RunDirectory:
        """A run directory with the complete spec; it starts from a checkpoint of ``start`` if given."""
        document = dict(spec)
        if start is not None:
            document.setdefault(
                "start_from", {"job": start.path.name, "checkpoint": samples, "mode": "exact"}
            )
        run = self.volume.job(f"job_{name}")
        run.path.mkdir(parents=True)
        complete = normalise(document, self.volume, self.settings).document
        write_json(run.spec, complete)
        link(run, complete, self.volume)
        shutil.copyfile(self.volume.dataset(document["dataset"]).schema, run.schema)
        if start is not None:
            assert samples is not None
            shutil.copytree(start.checkpoint(samples).path, run.start.path)
        return run

    def base_model(self, source: Path, **about: Any) -> str:
        """A model on the volume that was imported from a file in CNTK's format; its id."""
        contents = source.read_bytes()
        digest = hashlib.sha256(contents).hexdigest()
        model = self.volume.model(f"mdl_{digest[:24]}")
        model.path.mkdir(parents=True)
        subprocess.run(
            [self.environment["python"], "-m", "trainer.importing", source, "cntk", model.path],
            env=self._environment(1),
            check=True,
            capture_output=True,
        )
        kept = hashlib.sha256(model.model.read_bytes()).hexdigest()
        record = {
            "id": model.path.name,
            "name": source.name,
            "status": "ready",
            "created_at": "2026-01-01T00:00:00Z",
            "source": {"format": "cntk", "size": len(contents), "sha256": digest},
            "sha256": kept,
            **read_json(model.path / "found.json"),
            **about,
        }
        write_json(model.record, record)
        return model.path.name

    def _environment(self, threads: int, blocktime_ms: int = 0) -> dict[str, str]:
        return {
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join([str(ROOT), *self.environment["python_path"]]),
            "LD_LIBRARY_PATH": os.pathsep.join(self.environment["library_path"]),
            **thread_limits(threads, blocktime_ms),
            **self.variables,
        }

    def start(self, run: RunDirectory, attempt: int = 1, **variables: str) -> subprocess.Popen[bytes]:
        """A trainer process for one attempt, with these variables in its environment, too."""
        folder = run.attempt(attempt)
        folder.path.mkdir(parents=True, exist_ok=True)
        spec = read_json(run.spec)
        with folder.stdout.open("ab") as stdout, folder.stderr.open("ab") as stderr:
            return subprocess.Popen(
                [
                    self.environment["python"],
                    "-m",
                    "trainer",
                    str(run.path),
                    "--attempt",
                    str(attempt),
                    "--dataset",
                    str(self.volume.dataset(spec["dataset"]).path),
                ],
                env=self._environment(*(spec["training"][key] for key in ("threads", "blocktime_ms")))
                | variables,
                stdout=stdout,
                stderr=stderr,
            )

    def train(self, run: RunDirectory, attempt: int = 1, **variables: str) -> dict[str, Any]:
        """Run one attempt to its end; its result."""
        process = self.start(run, attempt, **variables)
        process.wait(timeout=300)
        assert run.result.exists(), run.attempt(attempt).stderr.read_text()[-3000:]
        return dict(read_json(run.result))

    def peak(self, run: RunDirectory) -> int:
        """Run the first attempt to its end; the most bytes that its process held, pages of files aside."""
        process, peak = self.start(run), 0
        while process.poll() is None:
            peak = max(peak, anonymous(process.pid))
            time.sleep(0.004)
        assert process.returncode == 0, run.attempt(1).stderr.read_text()[-3000:]
        return peak

    def interrupt(self, run: RunDirectory, attempt: int, with_signal: signal.Signals, after: str) -> int:
        """Start an attempt and signal it once it has reported a fact of type ``after``; its exit status."""
        process = self.start(run, attempt)
        deadline = time.monotonic() + 120
        while not any(fact["type"] == after for fact in facts(run, attempt)):
            assert process.poll() is None, run.attempt(attempt).stderr.read_text()[-3000:]
            assert time.monotonic() < deadline, f"no {after} was reported"
            time.sleep(0.005)
        process.send_signal(with_signal)
        return process.wait(timeout=60)


def anonymous(pid: int) -> int:
    """Bytes that a process holds now, pages of files aside; 0 where it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in status.splitlines())
    return next((1024 * int(words[1]) for words in lines if words[0] == "RssAnon:"), 0)


def facts(run: RunDirectory, attempt: int = 1) -> list[dict[str, Any]]:
    """What an attempt's trainer has reported so far."""
    return [line.value() or {} for line in complete_lines(run.attempt(attempt).facts)]


def losses(run: RunDirectory) -> np.ndarray:
    """The loss of every minibatch; NaN for those that another job trained."""
    return np.fromfile(run.losses, dtype="<f8")


def ends_the_same_when_killed(workshop: Workshop, document: dict[str, Any]) -> None:
    """A training that is killed behind its first checkpoint, and started again, ends with the same bits."""
    whole = workshop.job("undisturbed", document)
    reference = workshop.train(whole)
    killed = workshop.job("killed", document)
    assert workshop.interrupt(killed, 1, signal.SIGKILL, after="checkpoint") == -signal.SIGKILL
    result = workshop.train(killed, attempt=2)
    assert next(fact for fact in facts(killed, 2) if fact["type"] == "restored")["step"] > 0
    assert np.array_equal(losses(killed), losses(whole))
    assert result["parameters_sha256"] == reference["parameters_sha256"]
