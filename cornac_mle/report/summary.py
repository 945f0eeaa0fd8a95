"""Everything that is shown of a report, as one plain dictionary: every face is made of it.

The terminal's table, Markdown, ``summary.json`` and the page only lay it out. It holds text,
numbers, lists and dictionaries, so that JSON takes it as it is. What each key means stands here; a
change that a reader of version 1 would stumble over makes version 2.
"""

from typing import Any, TypedDict

FORMAT = "cornac-mle summary"
VERSION = 1


class Value(TypedDict):
    """One metric of one set of synthetic users, averaged over fits and sampling seeds.

    Numbers are in the metric's own unit, None where there is none. ``low`` and ``high`` are the
    95% interval, ``real_users`` what real users get (the ceiling), ``popularity`` what independent
    popularity gets (the floor), ``normalised`` is 0 at the floor and 1 at the ceiling;
    ``minimum_detectable`` is about the smallest distance from the ceiling that is found;
    ``is_bound``
    says that the value is at least this (a likelihood that is estimated). ``sd_over_fits`` is of
    ``n_fits`` fits. ``n_real`` and ``n_synthetic`` count the users compared, ``n_left_out``
    synthetic users of fewer items than real ones must have.
    """

    value: float | None
    low: float | None
    high: float | None
    p_value: float | None
    real_users: float | None
    popularity: float | None
    normalised: float | None
    minimum_detectable: float | None
    is_bound: bool
    n_fits: int
    sd_over_fits: float | None
    n_real: int
    n_synthetic: int
    n_left_out: int


class Answer(TypedDict):
    """Answer to one question: "believable", "complete" or "nobodys".

    ``metric`` is the metric that answers, None where none was measured, and ``sentence`` then says
    why. ``verdict`` is "worse" than real users where an interval says so, "as real users" where no
    difference was found, "open" where nothing can be said, or "not asked".
    """

    metric: str | None
    verdict: str
    sentence: str


class Leak(TypedDict):
    """What attacks on membership find at low false alarms, averaged over fits: no guarantee.

    ``found_at_1_percent`` and ``found_at_5_percent`` are the shares of training users who are found
    where 1% and 5% of new users are wrongly taken for training users, None where the held-out users
    are too few; ``epsilon`` is the lower bound in nats, and ``n_synthetic`` the number of synthetic
    users that the attacks saw.
    """

    found_at_1_percent: float | None
    found_at_5_percent: float | None
    epsilon: float | None
    n_synthetic: int


class Metric(TypedDict):
    """How to read a metric: see `MetricNote`; ``caution`` says how far to trust it here."""

    name: str
    best: str
    meaning: str
    judge: str | None
    level: float | None
    tail: str | None
    conditional: bool
    second_opinion: bool
    caution: str | None


class UnknownItems(TypedDict):
    """Items that no real user holds: how many, in how many preferences, and those most held."""

    n_items: int
    n_preferences: int
    listed: list[dict[str, Any]]


class Model(TypedDict):
    """One row: a model, or a set of synthetic users of any origin.

    ``values`` holds a `Value` by metric, ``answers`` an `Answer` to each of the three questions,
    ``leak`` what attacks on membership find, ``judges`` the share of users that each family of
    judges flags. ``alert`` says what makes its
    results worthless, ``failed`` why it has none. ``gallery`` and ``curves`` are what the page
    shows of its users; see `cornac_mle.diagnostics.gallery`.
    """

    name: str
    parameters: str
    n_users: int | None
    values: dict[str, Value]
    answers: dict[str, Answer]
    leak: Leak | None
    judges: dict[str, float]
    own_family: str | None
    alert: str | None
    failed: str | None
    unknown_items: UnknownItems | None
    gallery: dict[str, Any] | None
    curves: dict[str, Any] | None


class Differences(TypedDict):
    """Pairs of models that differ on the primary metric, and those of which it is not known."""

    metric: str
    level: float
    pairs: list[dict[str, Any]]


class Summary(TypedDict):
    """All that is shown.

    ``groups`` counts real users by group, ``dropped`` what was left out of the data, ``notes`` says
    what was assumed, ``not_asked`` why a metric was measured for nobody. ``metrics`` and
    ``models`` are in the order of the tables. ``made`` says how the report was made: date,
    seconds, versions, arguments, hash of the data.
    """

    format: str
    version: int
    kind: str
    dataset: str
    groups: dict[str, int]
    dropped: dict[str, int]
    notes: list[str]
    not_asked: dict[str, str]
    metrics: list[Metric]
    models: list[Model]
    differences: Differences | None
    judge_agreement: list[dict[str, Any]]
    made: dict[str, Any]
