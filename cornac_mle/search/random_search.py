"""Random combinations of values, the best on validation users."""

from collections.abc import Sequence

from cornac import hyperopt
from cornac.eval_methods import BaseMethod
from cornac.hyperopt import SearchDomain
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender
from cornac.utils import get_rng

from cornac_mle.checks import check_count, check_seed
from cornac_mle.search._base import ValidationSearch
from cornac_mle.search._candidate import Parameters
from cornac_mle.search._checks import check_search
from cornac_mle.search._domains import draw


class RandomSearch(ValidationSearch, hyperopt.RandomSearch):  # type: ignore[misc]
    """Try random combinations and keep the one that does best on the validation users.

    As `GridSearch`, where all that is not said here is said; the space may hold `Continuous`
    domains too. Values are drawn as Cornac's search draws them, so that the same seed tries the
    same candidates; one that is drawn again is not fitted again. Whole numbers stay Python's, so
    that models take them.

    Parameters
    ----------
    model, space, metric, eval_method, user_based, n_jobs, name, verbose
        Parameters of `GridSearch`.
    n_trails : int
        Number of candidates to draw. The name is Cornac's.
    seed : int, optional
        Random seed of the candidates; None: the model's, and if it has none, others each time.

    Examples
    --------
    >>> from cornac.metrics import NDCG
    >>> from cornac_mle import HeldOutUsers, Mixture
    >>> from cornac_mle.search import Continuous, Discrete
    >>> data = [(u, i, 1.0) for u in range(120) for i in range(u % 2, 20, 2) if (u + i) % 5]
    >>> method = HeldOutUsers(data, validation_share=0.3, seed=1)
    >>> space = [Discrete("k", [1, 2]), Continuous("lambda_reg", 0.1, 1.0)]
    >>> search = RandomSearch(Mixture(seed=1), space, NDCG(k=5), method, n_trails=3, seed=4)
    >>> search.fit(method.train_set, method.val_set).results[["k", "lambda_reg", "rank"]].round(2)
       k  lambda_reg  rank
    0  1        0.91     3
    1  2        0.98     1
    2  2        0.65     1
    """

    def __init__(
        self,
        model: Recommender,
        space: Sequence[SearchDomain],
        metric: RankingMetric | RatingMetric | Sequence[RankingMetric | RatingMetric],
        eval_method: BaseMethod,
        n_trails: int = 10,
        *,
        seed: int | None = None,
        user_based: bool = True,
        n_jobs: int = 1,
        name: str | None = None,
        verbose: bool | None = None,
    ) -> None:
        check_search(model, space, metric, eval_method)
        n_trails = check_count("n_trails", n_trails)
        self.seed = check_seed(seed)
        hyperopt.RandomSearch.__init__(self, model, space, metric, eval_method, n_trails)
        self._prepare(metric, user_based, n_jobs, name, verbose)

    def _build_param_set(self) -> list[Parameters]:
        """Draw candidates; those drawn again are left out."""
        own = getattr(self.model, "seed", None)
        random = get_rng(own if self.seed is None else self.seed)
        found: dict[str, Parameters] = {}
        for _ in range(self.n_trails):
            drawn = {domain.name: draw(domain, random) for domain in self.space}
            found.setdefault(repr(drawn), drawn)  # values need not be hashable
        return list(found.values())
