"""Domains of a search: what they may be, and values of them that models take."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cornac.hyperopt import Continuous, Discrete, SearchDomain
from cornac.models import Recommender

from cornac_mle.checks import check_different_names, refusal


def check_space(model: Recommender, space: Sequence[SearchDomain]) -> None:
    """Refuse a space that is empty, or is not of parameters of `model`.

    Raises
    ------
    TypeError, ValueError
        Naming the domain.
    """
    for domain in space:
        if not isinstance(domain, SearchDomain):
            advice = "Write for example Discrete('k', [10, 20])."
            raise TypeError(refusal("space", "hold search domains", repr(domain), advice))
        if isinstance(domain, Discrete):
            values = domain.values
            if isinstance(values, str) or not isinstance(values, Sequence | np.ndarray):
                raise TypeError(refusal("space", "list values", repr(values), context=domain.name))
            if len(values) == 0:
                raise ValueError(refusal("space", "list values", "none", context=domain.name))
        if isinstance(domain, Continuous) and not domain.low < domain.high:
            got = f"{domain.low} and {domain.high} of {domain.name!r}"
            raise ValueError(refusal("space", "have low below high", got))
    names = [domain.name for domain in space]
    if not names:
        advice = "Write for example [Discrete('k', [10, 20])]."
        raise ValueError(refusal("space", "hold at least one domain", "none", advice))
    known = model._get_init_params()
    for name in names:
        # Cornac's clone takes no notice of a name that it does not know.
        if name not in known:
            rule, advice = f"name parameters of {model.name}", f"It has {', '.join(known)}."
            raise ValueError(refusal("space", rule, repr(name), advice))
    check_different_names("space", names)


def draw(domain: SearchDomain, random: np.random.RandomState) -> Any:
    """Draw a value of a domain, of its own type."""
    if isinstance(domain, Discrete):
        # The place is drawn: numpy would make 1 of 1.0 and text of all if one value is text.
        return plain(domain.values[random.choice(len(domain.values))])
    return plain(domain._sample(random))


def plain(value: Any) -> Any:
    """Make Python's own number of a numpy one: models refuse those, or save them badly."""
    return value.item() if isinstance(value, np.generic) else value
