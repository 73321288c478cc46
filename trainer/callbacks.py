"""Effects of the training loop: the loss series, progress, evaluation, checkpoints, stopping.

Each callback has ``minibatch(state, loss)`` and ``epoch(state)``; True ends training.
They run in the order of the list: an epoch is evaluated before it is checkpointed.
"""

import math
import os
import struct
import time

import numpy as np

from trainer.aside import Aside
from trainer.checkpoints import watched
from trainer.loop import Diverged
from trainer.state import by_split

WORTH_A_COPY = 1 << 20
"""Bytes of a checkpoint. To copy the process takes a few milliseconds, as a smaller checkpoint does."""


class LossSeries:
    """The loss of every minibatch as float64 in one flat file, indexed by step."""

    def __init__(self, path, step):
        # Open for the whole training: closed with the process.
        self.stream = open(str(path), "r+b" if path.exists() else "w+b")  # noqa: SIM115
        known = os.path.getsize(str(path)) // 8
        # What lies behind a checkpoint will be trained again; what came before a borrowed one is unknown.
        self.stream.truncate(8 * min(known, step))
        self.stream.seek(0, os.SEEK_END)
        self.stream.write(np.full(max(step - known, 0), np.nan, dtype="<f8").tobytes())
        self.stream.flush()
        self.flushed = time.monotonic()

    def minibatch(self, state, loss):
        self.stream.write(struct.pack("<d", loss))
        if time.monotonic() - self.flushed > 1:
            self.flush()
            self.flushed = time.monotonic()

    def epoch(self, state):
        self.flush()

    def flush(self):
        self.stream.flush()


class Progress:
    """Where training stands, a few times a second; speed over this attempt's own minibatches."""

    INTERVAL = 0.25

    def __init__(self, facts, model, epochs, epoch_size, state):
        self.facts = facts
        self.summary = model.objective.summary
        self.total = epochs * epoch_size
        self.epochs = epochs
        self.first = state.samples
        self.started = None
        self.due = 0.0

    def minibatch(self, state, loss):
        now = time.monotonic()
        if self.started is None:
            # The first minibatch is set-up as well as training: the clock starts behind it.
            self.started, self.first = now, state.samples
            self.facts("first_minibatch")
        if now >= self.due:
            self.due = now + self.INTERVAL
            self.report(state, now, {"minibatch": {"total": loss}})

    def epoch(self, state):
        self.report(state, time.monotonic(), {})

    def report(self, state, now, losses):
        seconds = now - self.started if self.started is not None else 0.0
        speed = (state.samples - self.first) / seconds if seconds > 0 and state.samples > self.first else None
        metrics = {}
        if state.offset:
            running = self.summary(state.sums, state.offset)
            losses["train"], metrics["train"] = running["losses"], running["metrics"]
        else:
            losses.update(by_split(state.evaluation, "losses"))
            metrics.update(by_split(state.evaluation, "metrics"))
        self.facts(
            "progress",
            epoch=state.epoch,
            epochs=self.epochs,
            minibatch=state.minibatch,
            step=state.step,
            samples=state.samples,
            samples_per_second=speed,
            eta_s=(self.total - state.samples) / speed if speed else None,
            losses=losses,
            metrics=metrics,
        )


class Evaluation:
    """At the end of an epoch: its training figures and those of the validation split."""

    def __init__(self, facts, model, held_out):
        self.facts = facts
        self.model = model
        self.held_out = held_out
        """Order of the validation rows, or None."""
        self.started = time.monotonic()

    def minibatch(self, state, loss):
        pass

    def epoch(self, state):
        summary = self.model.objective.summary
        state.evaluation = {"train": summary(state.sums, state.offset)}
        if self.held_out is not None:
            state.evaluation["valid"] = summary(self.model.evaluate(self.held_out), len(self.held_out))
            if not math.isfinite(state.evaluation["valid"]["losses"]["total"]):
                raise Diverged("the validation loss is no finite number after epoch %d" % (state.epoch + 1))
        rate = self.model.rate
        state.next_epoch()
        now = time.monotonic()
        self.facts(
            "epoch",
            epoch=state.epoch,
            step=state.step,
            samples=state.samples,
            learning_rate=rate,
            losses=by_split(state.evaluation, "losses"),
            metrics=by_split(state.evaluation, "metrics"),
            seconds=now - self.started,
        )
        self.started = now


class BestAndPatience:
    """Keeps the best watched value and ends training after ``patience`` epochs without a better one."""

    def __init__(self, facts, watch, stopping):
        self.facts = facts
        self.watch = watch
        self.stopping = stopping
        """{"patience", "min_delta"}, or None: then training lasts for its whole budget."""

    def minibatch(self, state, loss):
        pass

    def epoch(self, state):
        value = watched(self.watch, state.evaluation)
        margin = self.stopping["min_delta"] if self.stopping else 0.0
        sign = 1 if self.watch["better"] == "lower" else -1
        if state.best is None or sign * value < sign * state.best["value"] - margin:
            state.best = dict(self.watch, value=value, samples=state.samples, epoch=state.epoch)
            state.stale = 0
            return False
        state.stale += 1
        if self.stopping and state.stale >= self.stopping["patience"]:
            state.stopped_early = True
            self.facts(
                "early_stopped",
                epoch=state.epoch,
                metric=self.watch["metric"],
                best=state.best["value"],
                patience=self.stopping["patience"],
            )
            return True
        return False


class Saving:
    """Checkpoints when they are due, and one before leaving if a stop was asked for.

    Large ones that are due are saved by a copy of this process, while it goes on training.
    """

    def __init__(self, checkpoints, series, rules, epochs, epoch_size, stop):
        self.checkpoints = checkpoints
        self.series = series
        self.epoch_size = epoch_size
        self.every_epochs = rules["every_epochs"]
        self.every_minibatches = rules["every_minibatches"]
        self.epochs = epochs
        self.stop = stop
        """Set when a signal asked for a checkpoint and an end."""
        self.due = False
        self.aside = Aside()
        self.large = checkpoints.saved_bytes >= WORTH_A_COPY

    def minibatch(self, state, loss):
        self.aside.look()
        if self.every_minibatches and state.step % self.every_minibatches == 0:
            self.due = True
        # Asked once: a signal may arrive between two looks, and nothing may end unsaved.
        stopping = self.stop.is_set()
        at_end = state.offset >= self.epoch_size
        if not at_end and (self.due or stopping):
            self.save(state, "stop" if stopping else "schedule")
        return stopping

    def epoch(self, state):
        stopping = self.stop.is_set()
        last = state.epoch >= self.epochs or state.stopped_early
        if self.every_epochs and state.epoch % self.every_epochs == 0:
            self.due = True
        if last or self.due or stopping:
            self.save(state, "end" if last else "stop" if stopping else "schedule")
        return stopping

    def save(self, state, cause):
        def work():
            self.checkpoints.publish(state, cause)

        self.due = False
        # No checkpoint may know of steps whose losses are not on the volume.
        self.series.flush()
        if self.large and self.aside.able and cause == "schedule":
            self.aside.begin(work)
        else:
            self.aside.settle()
            work()
