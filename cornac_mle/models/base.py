"""What every samplable recommender shares: a Cornac Recommender that can make up whole users."""

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from typing import final

import numpy as np
import scipy.sparse as sp
from joblib import Parallel, delayed

from cornac_mle.checks import check_count, check_jobs
from cornac_mle.models._fold_in_recommender import FoldInRecommender
from cornac_mle.profiles import Profiles
from cornac_mle.randomness import RngLike, child, generator, root_seed
from cornac_mle.sampling.importance import LikelihoodEstimate
from cornac_mle.sparse import FloatArray

CHUNK_USERS = 1024
"""Users that are drawn from one seed. Part of the definition of `sample`: another value, others."""

LIKELIHOOD_DRAWS = 100
"""Latent points a user from which a log-likelihood is estimated, unless told otherwise."""


class GenerativeRecommender(FoldInRecommender):
    """A Cornac recommender that also draws synthetic users.

    A subclass gives four formulas: `_fit` (learn from a users x items matrix), `_draw` (make up
    one chunk of users), `_fold_in` (scores of users it has not seen) and, where it has one,
    `_log_likelihood`. Fitted state lives in attributes whose names end in an underscore; a refit
    starts fresh. Cornac's `score`, `rank`, `rate`, `clone`, `save` and `load` follow from these.

    Attributes
    ----------
    judge_family : str or None
        Family of judges of plausibility that the model is kin to; reports mark that cell.

    Examples
    --------
    A model of one's own: each item is held or not, whatever the others.

    >>> import numpy as np, scipy.sparse as sp
    >>> from cornac_mle import GenerativeRecommender
    >>> class Coins(GenerativeRecommender):
    ...     def __init__(self, name="Coins"):
    ...         super().__init__(name)
    ...
    ...     def _fit(self, matrix, validation):
    ...         holders = np.bincount(matrix.indices, minlength=matrix.shape[1])
    ...         self.shares_ = holders / matrix.shape[0]
    ...
    ...     def _draw(self, n_users, rng):
    ...         return sp.csr_array(rng.random((n_users, len(self.shares_))) < self.shares_)
    ...
    ...     def _fold_in(self, matrix):
    ...         return np.tile(self.shares_, (matrix.shape[0], 1))

    >>> from cornac.data import Dataset
    >>> likes = [("ann", "tea", 1.0), ("bob", "tea", 1.0), ("bob", "jam", 1.0), ("cat", "tea", 1.0)]
    >>> model = Coins().fit(Dataset.from_uir(likes))
    >>> model
    Coins() fitted to 3 users x 2 items
    >>> model.sample(300, rng=1).item_counts  # tea, jam
    array([300,  95])
    """

    judge_family: str | None = None

    # ------------------------------------------------------------------ formulas of a subclass

    @abstractmethod
    def _draw(self, n_users: int, rng: np.random.Generator) -> sp.csr_array:
        """Draw one chunk of users: (n_users, n_items), stored values above 0."""

    def _log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        """Log-probability in nats, (n_users,), of one block of users, drawn as by `_draw`."""
        msg = f"{self.name} has no log-likelihood: {self._why_no_log_likelihood()}"
        raise NotImplementedError(msg)

    def _item_set_log_likelihood(
        self, matrix: sp.csr_array, n_draws: int, rng: np.random.Generator
    ) -> LikelihoodEstimate:
        """Do the same for item sets alone; a model with a distribution of values overrides it."""
        return self._log_likelihood(matrix, n_draws, rng)

    def _why_no_log_likelihood(self) -> str:
        return "its sampling distribution has no density that it can evaluate."

    # ----------------------------------------------------------------------------- public, final

    @final
    def sample(self, n_users: int, *, rng: RngLike | None = None, n_jobs: int = 1) -> Profiles:
        """Draw whole new users.

        Users are drawn in chunks of 1,024, each from a seed of its own, so the answer depends on
        `rng` and `n_users` only, not on memory or workers.

        Parameters
        ----------
        n_users : int
            Number of users, at least 1.
        rng : int, SeedSequence or Generator, optional
            Source of randomness: same seed, same users; None: other users each time.
        n_jobs : int
            Threads that draw chunks, -1 for one a core; the users are the same for any number.

        Returns
        -------
        Profiles
            (n_users, n_items), users ``"s0"``, ``"s1"``, ...; some may be empty.

        Raises
        ------
        RuntimeError
            If the model is not fitted.
        TypeError, ValueError
            If `n_users`, `rng` or `n_jobs` is not one.
        """
        catalogue = self._fitted_catalogue()
        chunks = list(self.sample_chunks(n_users, rng=rng, n_jobs=n_jobs))
        return Profiles.from_matrix(sp.csr_array(sp.vstack(chunks, format="csr")), catalogue)

    @final
    def sample_chunks(
        self,
        n_users: int,
        *,
        rng: RngLike | None = None,
        n_jobs: int = 1,
        numbers: Iterable[int] | None = None,
    ) -> Iterator[sp.csr_array]:
        """Yield the chunks of `sample` one by one, so that memory does not grow with `n_users`.

        `numbers` of the chunks that are wanted, from 0, leave the others out undrawn.
        """
        n_users = check_count("n_users", n_users)
        check_jobs(n_jobs)
        self._fitted_catalogue()
        root = root_seed(generator(rng))
        wanted = range(-(-n_users // CHUNK_USERS)) if numbers is None else numbers
        draw = delayed(self._draw_chunk)
        workers = Parallel(n_jobs=n_jobs, prefer="threads", return_as="generator")
        yield from workers(
            draw(min(CHUNK_USERS, n_users - number * CHUNK_USERS), child(root, number))
            for number in wanted
        )

    def _draw_chunk(self, n_users: int, seed: np.random.SeedSequence) -> sp.csr_array:
        return sp.csr_array(self._draw(n_users, np.random.default_rng(seed)), dtype=np.float32)

    @final
    def log_likelihood(
        self,
        profiles: Profiles,
        *,
        rng: RngLike | None = None,
        n_draws: int = LIKELIHOOD_DRAWS,
    ) -> FloatArray:
        """Log-probability of each profile, size included, under the distribution of `sample`.

        Exact, or a lower bound on average: `estimate_log_likelihood` says which.

        Parameters
        ----------
        profiles : Profiles
            Users on the items the model was fitted on, in the same order.
        rng : int, SeedSequence or Generator, optional
            Source of the latent points, for models that have some; None: other points each time.
        n_draws : int
            Latent points drawn a user; more bring the bound closer. Exact models need none.

        Returns
        -------
        ndarray, shape (n_users,)
            Log-probabilities in nats.

        Raises
        ------
        NotImplementedError
            If the model has none; the message says why.
        """
        return self.estimate_log_likelihood(profiles, rng=rng, n_draws=n_draws).nats

    @final
    def estimate_log_likelihood(
        self,
        profiles: Profiles,
        *,
        rng: RngLike | None = None,
        n_draws: int = LIKELIHOOD_DRAWS,
        values: bool = True,
    ) -> LikelihoodEstimate:
        """`log_likelihood`, with the effective sample size of each user where it is estimated.

        Parameters
        ----------
        profiles, rng, n_draws
            Arguments of `log_likelihood`, whose errors and cost this has.
        values : bool
            Whether the values count; False: the likelihood is that of the item sets alone. It
            makes a difference only to models with a distribution of values (`PMF`), and makes them
            comparable with the others.
        """
        n_draws = check_count("n_draws", n_draws)
        estimate = self._log_likelihood if values else self._item_set_log_likelihood
        matrix, random = self._checked(profiles).matrix, generator(rng)
        blocks = [
            estimate(matrix[start : start + CHUNK_USERS], n_draws, random)
            for start in range(0, len(profiles), CHUNK_USERS)
        ]
        if not blocks:
            return LikelihoodEstimate(np.zeros(0), None)
        nats, sizes = zip(*blocks, strict=True)
        if any(size is None for size in sizes):
            return LikelihoodEstimate(np.concatenate(nats), None)
        return LikelihoodEstimate(np.concatenate(nats), np.concatenate(sizes))


def chunk_sizes(n_users: int) -> list[int]:
    """Cut `n_users` into chunks of 1,024 and a rest."""
    whole, rest = divmod(n_users, CHUNK_USERS)
    return [CHUNK_USERS] * whole + ([rest] if rest else [])
