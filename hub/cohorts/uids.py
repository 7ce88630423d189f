"""The range of Linux user numbers a centre that runs as root gives to its learners."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UidRange:
    """`count` numbers from `first` on."""

    first: int
    count: int
