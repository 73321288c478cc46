"""Initializers of weights, from a seed and the shape of the parameter.

The seed comes from the job's seed and the parameter's name. ``fan`` in the registration marks
those that look at the elements coming in and going out of a unit; fan_in is the number of a
dense layer's inputs or a filter's elements over all channels, fan_out the number of units or
of filters times a filter's area. ``check`` raises PlanError for shapes that cannot be filled.
"""

from trainer.engine import C
from trainer.parts.registry import Param, PlanError, Registry

initializers = Registry("initializer")


@initializers.part("glorot_uniform", fan=True)
def glorot_uniform(seed, shape, *, scale: float = Param(1.0, gt=0)):
    """Uniform in +-scale * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return C.glorot_uniform(scale=scale, seed=seed)


@initializers.part("glorot_normal", fan=True)
def glorot_normal(seed, shape, *, scale: float = Param(1.0, gt=0)):
    """Normal with deviation scale * sqrt(2 / (fan_in + fan_out))."""
    return C.glorot_normal(scale=scale, seed=seed)


@initializers.part("xavier", fan=True)
def xavier(seed, shape, *, scale: float = Param(1.0, gt=0)):
    """CNTK's Xavier: uniform in +-scale * sqrt(3 / fan_in)."""
    return C.xavier(scale=scale, seed=seed)


@initializers.part("he_uniform", fan=True)
def he_uniform(seed, shape, *, scale: float = Param(1.0, gt=0)):
    """Uniform in +-scale * sqrt(6 / fan_in) (He et al., 2015)."""
    return C.he_uniform(scale=scale, seed=seed)


@initializers.part("he_normal", fan=True)
def he_normal(seed, shape, *, scale: float = Param(1.0, gt=0)):
    """Normal with deviation scale * sqrt(2 / fan_in)."""
    return C.he_normal(scale=scale, seed=seed)


@initializers.part("uniform")
def uniform(seed, shape, *, scale: float = Param(0.05, gt=0)):
    """Uniform in +-scale."""
    return C.uniform(scale=scale, seed=seed)


@initializers.part("normal")
def normal(seed, shape, *, scale: float = Param(0.05, gt=0)):
    """Normal with mean 0 and deviation ``scale``."""
    return C.normal(scale=scale, seed=seed)


@initializers.part("truncated_normal")
def truncated_normal(seed, shape, *, stdev: float = Param(0.05, gt=0)):
    """Normal with deviation ``stdev``, redrawn beyond two deviations."""
    return C.truncated_normal(stdev=stdev, seed=seed)


@initializers.part("constant")
def constant(seed, shape, *, value: float = Param(0.0)):
    """Every element equal to ``value``."""
    return value


def square_filters(shape):
    """PlanError unless ``shape`` is that of as many square filters as there are channels."""
    if len(shape) != 4 or shape[0] != shape[1] or shape[2] != shape[3]:
        raise PlanError(
            "bilinear fills square filters, as many as channels, not %s" % " x ".join(map(str, shape))
        )


@initializers.part("bilinear", check=square_filters)
def bilinear(seed, shape):
    """Bilinear interpolation in each channel, for a convolution whose filters are square."""
    return C.bilinear(shape[3], shape[2])
