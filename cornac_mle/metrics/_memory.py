"""What is computed only once, kept under whoever it belongs to and forgotten with the owner."""

from collections.abc import Callable, Hashable
from types import MethodType
from typing import Any, Self, TypeVar
from weakref import ref

from cornac.metrics import RankingMetric

from cornac_mle.checks import refusal
from cornac_mle.report.measurement import MetricNote

T = TypeVar("T")
PLAIN_TYPES = (bool, int, float, str, bytes, type(None), MetricNote)
"""Types of settings that never change, and that are the same setting where they are equal."""


class Memory:
    """Answers by owner and arguments.

    An owner is a function, a group of users, or a metric. Metrics of one class and with equal
    settings are one owner, if all settings are plain values; every other owner is that very object,
    held weakly.
    """

    def __init__(self) -> None:
        self._answers: dict[Hashable, dict[tuple[Hashable, ...], Any]] = {}

    def remembered(self, owner: object, *arguments: Hashable, compute: Callable[[], T]) -> T:
        """Return the answer of an owner for some arguments, computing it the first time only."""
        if isinstance(owner, MethodType):  # made anew at every look-up, so that nothing lasts
            rule = "be a function, a group of users or a metric"
            raise TypeError(refusal("owner", rule, "a bound method", "Give the metric itself."))
        key = _settings(owner) or _Identity(owner, self._forget())
        answers = self._answers.setdefault(key, {})
        if arguments not in answers:
            answers[arguments] = compute()
        answer: T = answers[arguments]
        return answer

    def _forget(self) -> "Callable[[_Identity], None]":
        """Make the function that drops the answers of an owner who is no more."""
        weak_self = ref(self)  # owners must not keep the memory alive

        def forget(owner: "_Identity") -> None:
            memory = weak_self()
            if memory is not None:
                memory._answers.pop(owner, None)

        return forget


class _Identity(ref[object]):
    """Weak reference that equals references to the same object only, whatever its `==` says."""

    _number: int

    def __new__(cls, owner: object, callback: "Callable[[_Identity], None]") -> Self:
        reference = super().__new__(cls, owner, callback)
        reference._number = id(owner)
        return reference

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        owner = self()
        return isinstance(other, _Identity) and owner is not None and owner is other()


def _settings(owner: object) -> tuple[Hashable, ...] | None:
    """Class and settings of a metric whose settings are all plain values; None of all others."""
    if not isinstance(owner, RankingMetric):
        return None
    state = object.__getstate__(owner)
    if not isinstance(state, dict) or not all(_is_plain(value) for value in state.values()):
        return None
    return (type(owner), *((name, _typed(value)) for name, value in sorted(state.items())))


def _is_plain(value: object) -> bool:
    if type(value) is tuple:
        return all(_is_plain(part) for part in value)
    return type(value) in PLAIN_TYPES


def _typed(value: object) -> Hashable:
    """Pair a plain value with its type: True and 1 are equal, but need not mean the same."""
    if isinstance(value, tuple):
        return tuple(_typed(part) for part in value)
    return (type(value), value)
