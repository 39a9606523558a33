"""What replaces a region of an input."""

from innexplain.samplers.base import Sampler
from innexplain.samplers.simple import BlurSampler, ConstantSampler, MeanSampler, UniformSampler

__all__ = ["BlurSampler", "ConstantSampler", "MeanSampler", "Sampler", "UniformSampler"]
