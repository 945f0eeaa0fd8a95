"""Every combination of values, the best on validation users."""

from collections.abc import Sequence
from itertools import product

from cornac import hyperopt
from cornac.eval_methods import BaseMethod
from cornac.hyperopt import Discrete
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender

from cornac_mle.checks import refusal
from cornac_mle.search._base import ValidationSearch
from cornac_mle.search._candidate import Parameters
from cornac_mle.search._checks import check_search
from cornac_mle.search._domains import plain


class GridSearch(ValidationSearch, hyperopt.GridSearch):  # type: ignore[misc]
    """Try every combination of values and keep the one that does best on the validation users.

    It goes into the models of a `cornac.Experiment`, in place of Cornac's search, with Cornac's
    `Discrete` domains. A candidate is a clone of `model` with other parameters, fitted to the
    training users and measured on the validation users by `eval_method` itself; held-out users take
    no part. Models that stop early do so on the validation users too, so that the winner's value on
    them is mildly optimistic: report its value on the held-out users.

    Parameters
    ----------
    model : Recommender
        Ours or Cornac's; it is cloned, never fitted.
    space : list of Discrete
        Parameters of `model` and the values to try: numbers, text, None, lists, even models (the
        ``model`` of a wrapper). The first domain by name varies slowest.
    metric : metric, or list of metrics
        Cornac's or realism metrics, each with one `k`. The winner is the best by the first one; the
        others are measured too, and `pareto_front` holds what is left to choose from if all count.
        What is best of a metric is known: the highest, the lowest, or what real users get
        (`UnrealisticUsers`, `NeighbourCoverage`).
    eval_method : BaseMethod
        The one of the experiment, with validation users: `HeldOutUsers` or `HeldOutUsersCV`, which
        chooses anew in each fold. A split of ratings, Cornac's or ours, has no whole validation
        users, so it takes Cornac's metrics only, and they are what Cornac's search computes.
    user_based : bool
        Whether rating metrics are averaged over users, as in Cornac's `Experiment` and ours, so
        that `best_score` is the value on the validation users that these print; over ratings, as in
        Cornac's search, if not. Only averages over users have an interval.
    n_jobs : int
        Candidates fitted at a time, each in a process of its own; -1: one a core. Processes take
        seconds to start, so that it pays for fits of many. The winner and the table do not depend
        on it, as far as the model's arithmetic does not depend on how many threads it gets.
    name : str, optional
        Name of the recommender; "GridSearch_" and the model's name if None. Two searches of one
        experiment need two names.
    verbose : bool, optional
        Show progress, of searches of more than two seconds. None: as `model`.

    Attributes
    ----------
    best_model : Recommender
        The fitted winner: it scores, ranks, rates and is sampled in the name of the search.
    best_params : dict
        Parameters of the winner; of equally good candidates, of the first.
    best_score : float
        Value of the first metric of the winner.
    results : DataFrame
        A row a candidate: the parameters, models written out (``param_rank`` if one is called rank,
        say); of each metric its value, ``<metric>_low`` and ``<metric>_high`` (95% interval, of one
        fit; NaN where there is none) and ``<metric>_loss`` (distance from the best value, lower is
        better); ``fit_seconds``, ``evaluation_seconds``; ``rank`` by the first metric, 1 is best,
        equal ones share it; with several metrics ``pareto``, whether it is on the front;
        ``reason``: "", or why it has no rank. A candidate that fails, or has no value of one of the
        metrics, has none and never wins.

    Raises
    ------
    TypeError, ValueError
        If the space is empty, or names what `model` has no parameter for; if a metric is none, or
        is of realism where `eval_method` cannot measure that.

    Notes
    -----
    Cost: one fit and one evaluation for every candidate.

    A difference between candidates that is small beside their intervals is noise: the lowest loss
    of many candidates looks better on the validation users than it is. Take few candidates, or many
    validation users.

    A search that is saved or deeply copied leaves `eval_method`, and with it all data, behind.

    Examples
    --------
    Even users hold even items, odd users odd ones: there are two kinds of users.

    >>> from cornac.metrics import NDCG
    >>> from cornac_mle import HeldOutUsers, Mixture
    >>> from cornac_mle.search import Discrete
    >>> data = [(u, i, 1.0) for u in range(120) for i in range(u % 2, 20, 2) if (u + i) % 5]
    >>> method = HeldOutUsers(data, validation_share=0.3, seed=1)
    >>> search = GridSearch(Mixture(seed=1), [Discrete("k", [1, 2])], NDCG(k=5), method)
    >>> search.fit(method.train_set, method.val_set).best_params
    {'k': 2}
    >>> search.results[["k", "NDCG@5", "rank"]].round(2)
       k  NDCG@5  rank
    0  1    0.18     2
    1  2    0.73     1
    """

    def __init__(
        self,
        model: Recommender,
        space: Sequence[Discrete],
        metric: RankingMetric | RatingMetric | Sequence[RankingMetric | RatingMetric],
        eval_method: BaseMethod,
        *,
        user_based: bool = True,
        n_jobs: int = 1,
        name: str | None = None,
        verbose: bool | None = None,
    ) -> None:
        check_search(model, space, metric, eval_method)
        others = [domain for domain in space if not isinstance(domain, Discrete)]
        if others:
            got, advice = type(others[0]).__name__, "RandomSearch takes others too."
            context = repr(others[0].name)
            raise ValueError(refusal("space", "hold Discrete domains", got, advice, context))
        hyperopt.GridSearch.__init__(self, model, space, metric, eval_method)
        self._prepare(metric, user_based, n_jobs, name, verbose)

    def _build_param_set(self) -> list[Parameters]:
        """List all combinations, values in the order given: not all can be sorted."""
        names = [domain.name for domain in self.space]
        values = [[plain(value) for value in domain.values] for domain in self.space]
        return [dict(zip(names, chosen, strict=True)) for chosen in product(*values)]
