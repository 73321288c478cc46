"""Initializers of weights. The seed comes from the job's seed and the parameter's name."""

from trainer.engine import C
from trainer.parts.registry import Param, Registry

initializers = Registry("initializer")


@initializers.part("glorot_uniform")
def glorot_uniform(seed, *, scale: float = Param(1.0, gt=0)):
    """Uniform in +-scale * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""
    return C.glorot_uniform(scale=scale, seed=seed)


@initializers.part("glorot_normal")
def glorot_normal(seed, *, scale: float = Param(1.0, gt=0)):
    """Normal with deviation scale * sqrt(2 / (fan_in + fan_out))."""
    return C.glorot_normal(scale=scale, seed=seed)


@initializers.part("xavier")
def xavier(seed, *, scale: float = Param(1.0, gt=0)):
    """CNTK's Xavier: uniform in +-scale * sqrt(3 / fan_in)."""
    return C.xavier(scale=scale, seed=seed)


@initializers.part("he_uniform")
def he_uniform(seed, *, scale: float = Param(1.0, gt=0)):
    """Uniform in +-scale * sqrt(6 / fan_in) (He et al., 2015)."""
    return C.he_uniform(scale=scale, seed=seed)


@initializers.part("he_normal")
def he_normal(seed, *, scale: float = Param(1.0, gt=0)):
    """Normal with deviation scale * sqrt(2 / fan_in)."""
    return C.he_normal(scale=scale, seed=seed)


@initializers.part("uniform")
def uniform(seed, *, scale: float = Param(0.05, gt=0)):
    """Uniform in +-scale."""
    return C.uniform(scale=scale, seed=seed)


@initializers.part("normal")
def normal(seed, *, scale: float = Param(0.05, gt=0)):
    """Normal with mean 0 and deviation ``scale``."""
    return C.normal(scale=scale, seed=seed)


@initializers.part("truncated_normal")
def truncated_normal(seed, *, stdev: float = Param(0.05, gt=0)):
    """Normal with deviation ``stdev``, redrawn beyond two deviations."""
    return C.truncated_normal(stdev=stdev, seed=seed)


@initializers.part("constant")
def constant(seed, *, value: float = Param(0.0)):
    """Every element equal to ``value``."""
    return value


@initializers.part("bilinear")
def bilinear(seed, *, kernel_width: int = Param(gt=0), kernel_height: int = Param(gt=0)):
    """Bilinear interpolation weights for an upsampling kernel of the given size."""
    return C.bilinear(kernel_width, kernel_height)
