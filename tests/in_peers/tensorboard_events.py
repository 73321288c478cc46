"""The scalars that TensorBoard itself finds in a folder: {tag: [[step, value, time], ...]}."""

import json
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

events = EventAccumulator(json.load(sys.stdin), size_guidance={"scalars": 0})
events.Reload()
found = {
    tag: [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]
}
json.dump(found, sys.stdout)
