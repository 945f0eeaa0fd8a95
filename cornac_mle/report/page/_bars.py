"""Bars in the cells of the table: where a value lies between what popularity and real users get."""

from collections.abc import Sequence
from dataclasses import dataclass

from cornac_mle.report.summary import Value

LENGTH = 100
MARGIN = 4
"""Of the length, at both ends, so that marks are whole."""


@dataclass(frozen=True)
class Bar:
    """Places of marks along a bar of `LENGTH`, real users on the right."""

    value: float
    low: float | None
    high: float | None
    real_users: float
    popularity: float | None


@dataclass(frozen=True)
class Scale:
    """Places of the values of one metric, the same for all models."""

    start: float
    end: float

    @classmethod
    def of(cls, values: Sequence[Value]) -> "Scale | None":
        """Make a scale that holds all values, intervals and ends; None if it has no extent."""
        marks = [
            mark
            for value in values
            for mark in (
                *(value[name] for name in ("value", "low", "high")),
                value["real_users"],
                value["popularity"],
            )
            if mark is not None
        ]
        if not marks or min(marks) == max(marks):
            return None
        first = next((v for v in values if v["real_users"] is not None), None)
        if first is None:
            return None
        least, most, real_users = min(marks), max(marks), first["real_users"] or 0.0
        is_turned = most - real_users > real_users - least  # what is unlike real users is left
        return cls(most, least) if is_turned else cls(least, most)

    def bar(self, value: Value | None) -> Bar | None:
        """Place a value; None where there is none, or no real users to hold it against."""
        if value is None or value["value"] is None or value["real_users"] is None:
            return None
        low, high = self.place(value["low"]), self.place(value["high"])
        ends = sorted(end for end in (low, high) if end is not None)
        return Bar(
            value=self._placed(value["value"]),
            low=ends[0] if len(ends) == 2 else None,
            high=ends[1] if len(ends) == 2 else None,
            real_users=self._placed(value["real_users"]),
            popularity=self.place(value["popularity"]),
        )

    def place(self, mark: float | None) -> float | None:
        """Give the place of a mark, None where there is no mark.

        >>> Scale(1.0, 0.0).place(0.25)
        73.0
        """
        return None if mark is None else self._placed(mark)

    def _placed(self, mark: float) -> float:
        share = (mark - self.start) / (self.end - self.start)
        return round(MARGIN + share * (LENGTH - 2 * MARGIN), 1)


def distance(value: Value | None) -> float | None:
    """Give the distance from real users, in distances of popularity: what the table is sorted by.

    Where popularity does about as well as real users, in the least distance that is found.
    """
    if value is None or value["value"] is None or value["real_users"] is None:
        return None
    floor = value["popularity"]
    gap = 0.0 if floor is None else abs(floor - value["real_users"])
    unit = max(gap, value["minimum_detectable"] or 0.0)
    return abs(value["value"] - value["real_users"]) / unit if unit else None
