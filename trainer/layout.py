"""The folder between the two interpreters: one class names every file of a job.

Runs on CPython 3.6 and on the modern side alike; standard library only.
"""

import contextlib
import shutil
from pathlib import Path
from typing import Any, List


class Inside:
    """The path of a file or folder in one of ours, put together when somebody asks for it."""

    def __init__(self, *names: str) -> None:
        self._names = names

    def __get__(self, directory: Any, _: Any = None) -> Path:
        return Path(directory.path, *self._names)


class AttemptDirectory:
    """``attempts/<n>/``: what one attempt's processes wrote."""

    stdout = Inside("stdout.log")
    stderr = Inside("stderr.log")
    facts = Inside("trainer.jsonl")
    """What the trainer reports, one JSON object a line; written by the trainer alone."""
    process = Inside("process.json")
    """pid and start time of the trainer, and the pid of its supervisor, which writes this."""
    supervisor = Inside("supervisor.json")
    """pid and start time of the supervisor, written before it takes the run's lock."""
    result = Inside("result.json")
    spec = Inside("spec.json")
    """The job's result and spec up to this attempt, where a retry put others in their place."""

    def __init__(self, path: Path) -> None:
        self.path = path


class CheckpointDirectory:
    """``checkpoints/<samples>/`` (or ``start/``): one whole checkpoint."""

    model = Inside("model.dnn")
    learners = Inside("model.dnn.ckp")
    loop = Inside("loop.json")
    """Where the training loop stood: step, samples, epoch, sums, patience."""
    manifest = Inside("manifest.json")
    pinned = Inside("pinned")
    """Present while retention must leave this checkpoint alone."""

    def __init__(self, path: Path) -> None:
        self.path = path


class RunDirectory:
    """``VOLUME/jobs/<job>/``: everything the two sides tell each other about one job."""

    spec = Inside("spec.json")
    schema = Inside("schema.json")
    """Schema of the data set that the network is trained on, as it was at submission: what the
    preprocessing was fitted to, whatever data set the network is run on."""
    machine = Inside("machine.json")
    """What the first attempt chose for its machine (trainer/machine.py); later ones do likewise."""
    accepted = Inside("accepted.json")
    """Left by the submission once the job was queued: what has none may never have been answered."""
    posted = Inside("posted.json")
    """The spec as it was posted, where that names a recipe."""
    fork = Inside("fork.json")
    """Of a fork: the job whose spec its own was made of, the patch, and what differs."""
    attempts = Inside("attempts")
    events = Inside("events.jsonl")
    checkpoints = Inside("checkpoints")
    losses = Inside("losses.f64")
    """The loss of every minibatch, little-endian float64, indexed by step."""
    result = Inside("result.json")
    artifacts = Inside("artifacts")
    pictures = Inside("artifacts", "pictures.npz")
    """Arrays that the trainer leaves to be drawn: values of nodes that the spec names."""
    mistakes = Inside("artifacts", "mistakes.npz")
    """Likewise: the images that a classifier was most confidently wrong about."""
    detections = Inside("artifacts", "detections.npz")
    """Likewise: images with what a detector finds on them, and its curves of precision and recall."""
    report = Inside("artifacts", "report.json")
    drawn = Inside("drawn.json")
    """After which attempt the pictures among the artifacts were drawn; locked (flock) meanwhile."""
    lock = Inside("lock")
    """Exclusively locked (flock) for as long as a trainer of this job lives."""
    bases = Inside("bases")
    """The base models that layers of the network are parts of, hard-linked at submission."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def start(self) -> CheckpointDirectory:
        """The checkpoint that the job starts from, hard-linked at submission."""
        return CheckpointDirectory(self.path / "start")

    def attempt(self, number: int) -> AttemptDirectory:
        return AttemptDirectory(self.attempts / str(number))

    def base(self, model_id: str) -> Path:
        """A base model's file."""
        return self.bases / (model_id + ".dnn")

    def base_record(self, model_id: str) -> Path:
        """What was known of a base model when the job was submitted: its model.json."""
        return self.bases / (model_id + ".json")

    def checkpoint(self, samples: int) -> CheckpointDirectory:
        return CheckpointDirectory(self.checkpoints / str(samples))

    def unfinished(self) -> List[Path]:
        """What was begun here and never finished; only while nobody writes is it what a crash left."""
        folders = [self.path, self.checkpoints, self.artifacts, *self.attempts.glob("*")]
        return [
            left
            for folder in folders
            for begun in (".writing-*", ".retired-*")
            for left in folder.glob(begun)
        ]

    def sweep(self) -> None:
        """Remove what is ``unfinished``; for whoever knows that no trainer writes here now."""
        for left in self.unfinished():
            if left.is_dir():
                shutil.rmtree(str(left), ignore_errors=True)
            else:
                with contextlib.suppress(FileNotFoundError):
                    left.unlink()

    def published_checkpoints(self) -> List[int]:
        """Sample counts of the published checkpoints, oldest first.

        A folder that is still being written has a name that is no number.
        """
        if not self.checkpoints.is_dir():
            return []
        return sorted(int(entry.name) for entry in self.checkpoints.iterdir() if entry.name.isdigit())


class DatasetDirectory:
    """``VOLUME/datasets/<dataset>/``: schema.json, one .npy (or more) a field, row indices a split."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.schema = path / "schema.json"

    def file(self, name: str) -> Path:
        """A file that the schema names, relative to this folder."""
        return self.path / name


class ModelDirectory:
    """``VOLUME/models/<model>/``: a base model that layers of type ``pretrained`` take their nodes from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.record = path / "model.json"
        """What is known of the model; written anew when its import has ended."""
        self.source = path / "source"
        """What was brought: opened in the sandbox alone."""
        self.model = path / "model.dnn"
        """The same network as this service saved it; there before the record says that it is ready."""
        self.lock = path / "lock"
        """Exclusively locked (flock) for as long as somebody imports the model."""


class FeatureDirectory:
    """``VOLUME/features/<key>/``: the values of one node for all rows of a data set."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values = path / "values.npy"
        self.about = path / "about.json"
        """What they are the values of, and the SHA-256 of the file."""


class SweepDirectory:
    """``VOLUME/sweeps/<sweep>/``: trials of one spec that is varied; each trial is a job."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.about = path / "sweep.json"
        """What was posted, by whom and when; written once."""
        self.trials = path / "trials.jsonl"
        """One line for each trial, written before its job is made: number, id of the job, values."""
        self.state = path / "state.json"
        """How the sweep stands; absent while it goes on."""
        self.lock = path / "lock"
        """Exclusively locked (flock) by whoever takes the sweep a step further."""


class Volume:
    """The folder that outlives every process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jobs = path / "jobs"
        self.datasets = path / "datasets"
        self.models = path / "models"
        self.features = path / "features"
        self.sweeps = path / "sweeps"
        self.tokens = path / "tokens"
        """Who may call the API: one file a token, which has a digest of it."""
        self.webhooks = path / "webhooks"
        self.incoming = path / "incoming"
        """Uploads and conversions under way; anything here may be deleted at start-up."""
        self.mark = path / "volume.json"
        """Made with the volume. Where it is missing, the disk that holds the volume is not mounted."""

    def present(self) -> bool:
        """Whether this is the volume, and not an empty folder that it would be mounted on."""
        return self.mark.is_file()

    def job(self, job_id: str) -> RunDirectory:
        return RunDirectory(self.jobs / job_id)

    def sweep(self, sweep_id: str) -> SweepDirectory:
        return SweepDirectory(self.sweeps / sweep_id)

    def dataset(self, dataset_id: str) -> DatasetDirectory:
        return DatasetDirectory(self.datasets / dataset_id)

    def feature(self, key: str) -> FeatureDirectory:
        return FeatureDirectory(self.features / key)

    def model(self, model_id: str) -> ModelDirectory:
        return ModelDirectory(self.models / model_id)
