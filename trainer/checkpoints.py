"""Checkpoints: written aside, hashed, published by rename; found again, verified, retired."""

import errno
import hashlib
import json
import os
import shutil
import time
from collections import OrderedDict

from trainer.facts import jsonable
from trainer.files import fsync_folder, read_json, sync_all, write_json
from trainer.layout import CheckpointDirectory
from trainer.state import by_split

FORMAT = 1
ROOM_FACTOR = 1.1
ROOM_BYTES = 1 << 20
"""What must be free for a checkpoint: a little more than it is expected to take, for what lies beside it."""


class BrokenCheckpoint(Exception):
    """A checkpoint whose files are not those that its manifest names."""


def sha256(path):
    total = hashlib.sha256()
    with open(str(path), "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            total.update(block)
    return total.hexdigest()


def manifest_digest(manifest):
    """SHA-256 of the manifest's canonical JSON without its own digest."""
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode("utf-8")).hexdigest()


def verify(folder):
    """The manifest of a whole checkpoint. BrokenCheckpoint names the file that is not as it was."""
    try:
        manifest = read_json(folder.manifest)
    except (OSError, ValueError) as error:
        raise BrokenCheckpoint("manifest.json cannot be read: %s" % error) from None
    if manifest_digest(manifest) != manifest.get("sha256"):
        raise BrokenCheckpoint("manifest.json was changed after it was written")
    for name, expected in manifest["files"].items():
        path = folder.path / name
        if not path.exists():
            raise BrokenCheckpoint("%s is missing" % name)
        if path.stat().st_size != expected["size"]:
            raise BrokenCheckpoint(
                "%s holds %d bytes instead of %d" % (name, path.stat().st_size, expected["size"])
            )
        if sha256(path) != expected["sha256"]:
            raise BrokenCheckpoint("%s differs from what was written (its SHA-256 does not match)" % name)
    return manifest


class Checkpoints:
    """The checkpoints of one job: publishing, resuming and retention."""

    def __init__(self, run, spec, model, runtime, facts):
        self.run = run
        self.spec = spec
        self.model = model
        self.runtime = runtime
        self.facts = facts
        self.saved_bytes = model.saved_bytes()

    def publish(self, state, cause):
        """Write model, learner and loop state, and make them appear at once.

        A crash at any instant leaves a folder whose name is no number, which nobody reads.
        FloatingPointError where the parameters are not finite: such a state is not worth keeping.
        OSError where the volume has no room for it.
        """
        started = time.monotonic()
        self.require_room()
        parameters_sha256 = self.model.digest()
        aside = CheckpointDirectory(self.run.checkpoints / (".writing-%d" % state.samples))
        shutil.rmtree(str(aside.path), ignore_errors=True)
        aside.path.mkdir()
        self.model.save(aside.model)
        state.save(aside.loop)
        files = OrderedDict()
        for path in (aside.model, aside.learners, aside.loop):
            files[path.name] = {"size": path.stat().st_size, "sha256": sha256(path)}
        manifest = {
            "format": FORMAT,
            "job": self.run.path.name,
            "step": state.step,
            "samples": state.samples,
            "epoch": state.epoch,
            "cause": cause,
            "created_at": time.time(),
            "files": files,
            "losses": by_split(state.evaluation, "losses"),
            "metrics": by_split(state.evaluation, "metrics"),
            "score": self.score(state),
            "parameters_sha256": parameters_sha256,
            "fingerprint": self.spec["fingerprint"],
            "spec_version": self.spec["spec_version"],
            "runtime": self.runtime,
        }
        manifest = jsonable(manifest)
        manifest["sha256"] = manifest_digest(manifest)
        write_json(aside.manifest, manifest, durable=False)
        self.make_durable(aside)
        final = self.run.checkpoint(state.samples)
        os.rename(str(aside.path), str(final.path))
        fsync_folder(self.run.checkpoints)
        self.facts(
            "checkpoint",
            samples=state.samples,
            step=state.step,
            epoch=state.epoch,
            cause=cause,
            size=sum(entry["size"] for entry in files.values()),
            sha256=manifest["sha256"],
            losses=manifest["losses"],
            metrics=manifest["metrics"],
            best=state.best is not None and state.best["samples"] == state.samples,
            seconds=time.monotonic() - started,
        )
        self.retire()

    def make_durable(self, checkpoint):
        """Bring a checkpoint to the disk that has no name yet, and what it relies on.

        That is the losses of its steps, and what the first attempt chose for its machine.
        """
        needed = [self.run.losses, self.run.machine, self.run.path]
        sync_all([*checkpoint.path.iterdir(), checkpoint.path, *(path for path in needed if path.exists())])

    def require_room(self):
        """OSError (ENOSPC) unless one more checkpoint fits on the volume.

        Asked before each is written: where CNTK runs out of space it corrupts its own memory and aborts.
        """
        expected = self.saved_bytes
        for samples in self.run.published_checkpoints()[-1:]:
            files = read_json(self.run.checkpoint(samples).manifest)["files"]
            expected = max(expected, sum(entry["size"] for entry in files.values()))
        self.run.checkpoints.mkdir(exist_ok=True)
        found = os.statvfs(str(self.run.checkpoints))
        free = found.f_bavail * found.f_frsize
        needed = int(expected * ROOM_FACTOR) + ROOM_BYTES
        if free < needed:
            detail = "%s: a checkpoint needs %d bytes and %d are free" % (
                os.strerror(errno.ENOSPC),
                needed,
                free,
            )
            raise OSError(errno.ENOSPC, detail, str(self.run.checkpoints))

    def score(self, state):
        """The watched value where this state ends an evaluated epoch, else None."""
        if state.offset or not state.evaluation:
            return None
        return watched(self.spec["watch"], state.evaluation)

    def retire(self):
        """Delete what neither keep_last, keep_best nor a pin holds, and what keep_bytes has no room for."""
        rules = self.spec["checkpoints"]
        published = self.run.published_checkpoints()
        manifests = {samples: read_json(self.run.checkpoint(samples).manifest) for samples in published}
        pinned = [samples for samples in published if self.run.checkpoint(samples).pinned.exists()]
        better = 1 if self.spec["watch"]["better"] == "lower" else -1
        scores = [
            (better * m["score"], samples) for samples, m in manifests.items() if m["score"] is not None
        ]
        best = [samples for _, samples in sorted(scores)[: rules["keep_best"]]]
        # The newest stays whatever it takes: a job resumes from it. Then who was pinned, the best, the last.
        wanted = published[-1:] + pinned + best + published[-rules["keep_last"] :][::-1]
        kept, room = [], rules.get("keep_bytes")
        for samples in OrderedDict.fromkeys(wanted):
            size = sum(entry["size"] for entry in manifests[samples]["files"].values())
            if room is None or size <= room or samples in pinned or samples == published[-1]:
                kept.append(samples)
                room = None if room is None else room - size
        for samples in published:
            if samples not in kept:
                remove(self.run.checkpoint(samples))
                self.facts("checkpoint_retired", samples=samples)

    def newest_whole(self):
        """(folder, manifest) of the newest checkpoint whose hashes hold, or None.

        A broken one is set aside under a name that nobody reads, so that its number is free again.
        """
        for samples in reversed(self.run.published_checkpoints()):
            folder = self.run.checkpoint(samples)
            try:
                return folder, verify(folder)
            except BrokenCheckpoint as error:
                self.facts("checkpoint_skipped", samples=samples, detail=str(error))
                os.rename(str(folder.path), str(folder.path) + ".broken-%d" % time.time())
        return None


def watched(rule, evaluation):
    """The value that a {"metric", "split"} rule watches: a metric, or a loss where no metric has the name."""
    found = evaluation[rule["split"]]
    return found["metrics"].get(rule["metric"], found["losses"].get(rule["metric"]))


def remove(folder):
    """Delete a checkpoint so that a crash half-way leaves nothing that looks like one."""
    doomed = str(folder.path.parent / (".retired-" + folder.path.name))
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(str(folder.path), doomed)
    shutil.rmtree(doomed, ignore_errors=True)
