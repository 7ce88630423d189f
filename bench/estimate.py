"""Means with confidence intervals, from few runs."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

STUDENT_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Two-sided 95 % quantiles of Student's t for 1 to 30 degrees of freedom; beyond, the normal's is near enough."""
NORMAL_95 = 1.960


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, and half the width of its 95 % confidence interval (0 for a single run, which has none)."""

    mean: float
    half_width: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ± {self.half_width:.2f}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of independent runs."""
    mean = statistics.fmean(values)
    freedom = len(values) - 1
    if freedom == 0:
        return Estimate(mean, 0.0)
    quantile = STUDENT_95[freedom - 1] if freedom <= len(STUDENT_95) else NORMAL_95
    return Estimate(mean, quantile * statistics.stdev(values) / math.sqrt(len(values)))
