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
        As in `GridSearch`.
    n_trails : int
        Candidates to draw. The name is Cornac's.
    seed : int, optional
        Of the candidates; None: the model's, and if it has none, others each time.
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
        check_count("n_trails", n_trails)
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
