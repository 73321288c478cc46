"""What the trainer reports: appended lines in the attempt's folder, read by the worker."""

import math
import time

from trainer.files import append_line


def jsonable(value):
    """``value`` with NaN and infinities as None: JSON has no words for them."""
    if isinstance(value, dict):
        return {key: jsonable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [jsonable(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


class Facts:
    """Appends one JSON object a line to ``path``."""

    def __init__(self, path):
        self.path = path

    def __call__(self, type, **fields):
        append_line(self.path, jsonable(dict(fields, type=type, time=time.time())))
