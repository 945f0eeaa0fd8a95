"""Recommenders that are tried out: which ones, and fits of them on a group of users."""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from cornac.models import BPR, EASE, WBPR, MostPop, Recommender

from cornac_mle.checks import check_different_names, refusal
from cornac_mle.models.cloning import fitted_or_refused, fresh_clone
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import pattern


@cache
def default_recommenders() -> tuple[Recommender, ...]:
    """Seven of Cornac's that fit in seconds, some at a poor setting so that there is an order.

    The same objects each time, so that metrics share their fits. EASE takes time items^3 and memory
    items^2: beyond some 10,000 items give others.
    """
    return (
        MostPop(),
        EASE(name="EASE", verbose=False),
        EASE(name="EASE, little ridge", lamb=5, verbose=False),
        BPR(name="BPR", k=50, learning_rate=0.01, max_iter=200, seed=1),
        BPR(name="BPR, little trained", k=10, max_iter=30, seed=1),
        BPR(name="BPR without bias", k=10, use_bias=False, seed=1),
        WBPR(name="WBPR", k=50, learning_rate=0.01, max_iter=200, seed=1),
    )


def fitted(
    recommenders: Iterable[Recommender], users: Profiles, seed: int
) -> Iterator[Recommender]:
    """Fit clones of recommenders, one after the other, on which items users hold.

    Values are replaced by 1, so that they do not tell real users from synthetic ones. A recommender
    that has a seed parameter but no seed gets `seed`.
    """
    sets = Profiles(pattern(users.matrix), users.user_ids, users.item_ids)
    data = sets.to_dataset(seed=seed)
    for recommender in recommenders:
        unseeded = "seed" in recommender._get_init_params() and recommender.seed is None
        clone = fresh_clone(recommender, {"seed": seed} if unseeded else None)
        yield fitted_or_refused(clone, data)


def checked_recommenders(recommenders: Sequence[Recommender]) -> tuple[Recommender, ...]:
    """Return them as a tuple, or raise unless they are two or more, trainable, of different names.

    Parameters
    ----------
    recommenders : sequence of Recommender
        Recommenders to be ordered.

    Raises
    ------
    TypeError, ValueError
        Naming the recommender.
    """
    if isinstance(recommenders, Recommender):
        got, advice = "one recommender", "Write [one, another]."
        raise TypeError(refusal("recommenders", "be a list of recommenders", got, advice))
    chosen = tuple(recommenders)
    for one in chosen:
        if not isinstance(one, Recommender):
            raise TypeError(refusal("recommenders", "hold recommenders of Cornac", repr(one)))
        if "trainable" in one._get_init_params() and not one.trainable:
            advice = "Set trainable=True."
            raise ValueError(refusal("recommenders", "be trainable", repr(one.name), advice))
    if len(chosen) < 2:
        raise ValueError(refusal("recommenders", "be at least 2, to be ordered", len(chosen)))
    names = [one.name for one in chosen]
    check_different_names("recommenders", names, "Pass name=... to one of them.")
    return chosen
