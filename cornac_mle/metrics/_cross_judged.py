"""p-values by judges whom all real users teach and calibrate: see `CrossJudge`."""

import numpy as np
import scipy.sparse as sp

from cornac_mle.metrics.evaluator import Evaluator
from cornac_mle.metrics.splits import Splits
from cornac_mle.plausibility.cross import CrossJudge
from cornac_mle.profiles import Profiles
from cornac_mle.sparse import FloatArray
from cornac_mle.stats.conformal import conformal_p_values


def cross_judge(evaluator: Evaluator, family: str) -> CrossJudge:
    """Judges taught and calibrated by reference and held-out users, in this order, fitted once."""

    def fitted() -> CrossJudge:
        groups = [evaluator.reference.matrix, evaluator.held_out.matrix]
        return CrossJudge.fit(
            sp.csr_array(sp.vstack(groups, format="csr")),
            family=family,
            unseen_is_evidence=evaluator.judge.log_unseen is not None,
            rng=evaluator.judge_seed,
        )

    return evaluator.remembered(CrossJudge, family, compute=fitted)


def cross_p_values(evaluator: Evaluator, users: Profiles, family: str) -> FloatArray:
    """Cross-conformal p-value of each user by all real users, (n_users,)."""
    judge = cross_judge(evaluator, family)
    return judge.p_values(_scores(evaluator, users, family), np.arange(judge.real.shape[0]))


def cross_on_splits(
    evaluator: Evaluator, users: Profiles, splits: Splits, family: str
) -> list[FloatArray]:
    """p-values of ``users[other]`` on each split, by ``held_out[real]`` and half of the reference.

    Held-out users are judged by what is blind to them, `CrossJudge.real_p_values`.
    """
    judge = cross_judge(evaluator, family)
    n_reference = len(evaluator.reference)
    found = []
    for split, seed in zip(splits, evaluator.split_seeds, strict=True):
        own = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, n_reference))
        half = np.random.default_rng(own).permutation(n_reference)[: n_reference // 2]
        calibrating = np.concatenate([np.sort(half), n_reference + split.real])
        if users is evaluator.held_out:
            pairs = evaluator.remembered(CrossJudge.pair_scores, family, compute=judge.pair_scores)
            found.append(judge.real_p_values(pairs, n_reference + split.other, calibrating))
        else:
            scores = _scores(evaluator, users, family)[split.other]
            found.append(judge.p_values(scores, calibrating))
    return found


def fold_p_values(
    evaluator: Evaluator, users: Profiles, family: str
) -> list[tuple[FloatArray, int]]:
    """p-values of users by the judge and users of each fold alone, exact; and how many users."""
    judge = cross_judge(evaluator, family)
    scores = _scores(evaluator, users, family)
    return [
        (conformal_p_values(of_fold, judge.own_scores[fold]), len(fold))
        for fold, of_fold in zip(judge.folds, scores.T, strict=True)
    ]


def _scores(evaluator: Evaluator, users: Profiles, family: str) -> FloatArray:
    judge = cross_judge(evaluator, family)
    return evaluator.remembered(
        users, CrossJudge, family, compute=lambda: judge.scores(users.matrix)
    )
