"""Named, seeded parameters of the network under construction."""

import hashlib
from collections import OrderedDict

import numpy as np

from trainer.engine import C
from trainer.parts import activations, initializers


def derived_seed(seed, *words):
    """A 31-bit seed that depends on the job's seed and on what it is for, and on nothing else."""
    text = "/".join([str(seed)] + [str(word) for word in words])
    return int.from_bytes(hashlib.sha256(text.encode("utf-8")).digest()[:4], "big") >> 1


class Maker:
    """Makes the parameters of one layer after the other and remembers them in graph order."""

    def __init__(self, seed, bases=None):
        self.job_seed = seed
        self.bases = bases
        """The base models of the run directory, for layers that are parts of one."""
        self.layer = None
        self.lender = None
        """Name of the layer whose parameters this one uses, if any."""
        self.parameters = OrderedDict()
        """Trainable parameters by full name ("code.W")."""
        self.statistics = OrderedDict()
        """What training moves without a gradient: running means, variances and counts."""
        self.inherited = set()
        """Full names of those that begin with the values of a base model."""

    def begin(self, layer, lender=None):
        """From now on parameters are those of ``layer``, or of the layer that lends it its own."""
        self.layer = layer
        self.lender = lender

    def seed(self, purpose):
        return derived_seed(self.job_seed, self.layer, purpose)

    def parameter(self, name, shape, init, output_rank=None, filter_rank=None):
        """A trainable parameter; ``init`` is a number, an array or an initializer's document."""
        if self.lender is not None:
            return self.parameters["%s.%s" % (self.lender, name)]
        full, shape = "%s.%s" % (self.layer, name), tuple(int(n) for n in shape)
        if isinstance(init, np.ndarray):
            self.inherited.add(full)
        if isinstance(init, dict):
            fan = initializers[init["type"]].facts.get("fan")
            init = initializers.build(init, self.seed(name), shape)
            if fan:
                init = C.initializer.initializer_with_rank(init, output_rank, filter_rank)
        made = C.parameter(shape, init=init, name=full)
        self.parameters[full] = made
        return made

    def statistic(self, name, shape, value):
        if self.lender is not None:
            return self.statistics["%s.%s" % (self.lender, name)]
        full = "%s.%s" % (self.layer, name)
        if isinstance(value, np.ndarray):
            self.inherited.add(full)
        made = C.constant(value, shape=tuple(int(n) for n in shape), name=full)
        self.statistics[full] = made
        return made

    def fixed(self, name, value):
        """Values that stay: a parameter that no learner is given, so that a later job may train it."""
        return C.parameter(value.shape, init=value, name="%s.%s" % (self.layer, name))

    def graft(self, model, digest, first, last, freeze):
        """Part of a base model, whose weights become those of the layer."""
        return self.bases.graft(self, model, digest, first, last, freeze)

    def activation(self, document, x):
        return activations.build(document, self, x)


def digest(parameters):
    """SHA-256 over name, shape and float32 bytes of each parameter, in graph order.

    FloatingPointError names a parameter that holds something else than finite numbers.
    """
    total = hashlib.sha256()
    for name, parameter in parameters.items():
        value = np.ascontiguousarray(parameter.value, dtype="<f4")
        if not np.isfinite(value).all():
            raise FloatingPointError("%s holds numbers that are not finite" % name)
        total.update(("%s %s\n" % (name, list(value.shape))).encode("utf-8"))
        total.update(value.tobytes())
    return total.hexdigest()
