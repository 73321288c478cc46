"""When a training saves, and what is on the volume by then."""

import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from trainer.callbacks import LossSeries, Saving


class Checkpoints:
    """Remembers how many losses the volume had at each checkpoint."""

    saved_bytes = 1000

    def __init__(self, losses: Path) -> None:
        self.losses = losses
        self.published: list[tuple[int, int]] = []

    def publish(self, state: SimpleNamespace, cause: str) -> None:
        self.published.append((state.step, len(np.fromfile(self.losses, dtype="<f8"))))


def test_a_checkpoint_never_knows_of_steps_whose_losses_a_crash_would_still_take(tmp_path: Path) -> None:
    path = tmp_path / "losses.f64"
    series, checkpoints = LossSeries(path, 0), Checkpoints(path)
    rules = {"every_epochs": None, "every_minibatches": 3}
    saving = Saving(checkpoints, series, rules, epochs=1, epoch_size=80, stop=threading.Event())
    for step in range(1, 9):
        state = SimpleNamespace(step=step, offset=step * 10)
        series.minibatch(state, 0.5)
        saving.minibatch(state, 0.5)
    assert checkpoints.published == [(3, 3), (6, 6)]
    series.stream.close()
