import itertools
from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from cornac.eval_methods.base_method import ranking_eval
from cornac.metrics import NDCG, Recall
from cornac.models import BPR, EASE, MostPop
from scipy import stats
from sklearn.metrics import ndcg_score

from cornac_mle import HeldOutUsers, compare
from cornac_mle.metrics import Evaluator, NotMeasurableError
from cornac_mle.models.fold_in import UnseenUsers
from cornac_mle.models.popularity import Popularity
from cornac_mle.models.training_users import TrainingUsers
from cornac_mle.null_models.corruption import popularity_draws, swap
from cornac_mle.profiles import Profiles
from cornac_mle.sampling.item_holdout import hold_out_items
from cornac_mle.utility._holdout_accuracy import found_shares, hidden_item_accuracy
from cornac_mle.utility._rank_statistics import (
    STATISTICS,
    agreement,
    mean_over_users,
    regret,
    relative_regret,
    resampled_means,
    tau_b,
)
from cornac_mle.utility._recommenders import default_recommenders, fitted
from cornac_mle.utility.ranking_agreement import RankingAgreement
from worlds import rated, taste_world


class Noise(EASE):
    """Recommends at random, anew after each fit: scores depend on the data and mean nothing."""

    def __init__(self, name, number):
        super().__init__(name=name, verbose=False)
        self.number = number

    def fit(self, train_set, val_set=None):
        super().fit(train_set, val_set)
        data = train_set.csr_matrix
        random = np.random.default_rng([self.number, *data.indices[:50].tolist()])
        self.B = random.random(self.B.shape)
        return self


class Unpopular(EASE):
    """Recommends to everybody what fewest hold."""

    def fit(self, train_set, val_set=None):
        super().fit(train_set, val_set)
        counts = np.bincount(train_set.uir_tuple[1], minlength=self.num_items)
        self.B = np.tile(-counts.astype(float), (self.num_items, 1))
        return self


class Broken(EASE):
    def fit(self, train_set, val_set=None):
        super().fit(train_set, val_set)
        self.B = np.full_like(self.B, np.nan)
        return self


class Counted(MostPop):
    fits = 0

    def fit(self, train_set, val_set=None):
        type(self).fits += 1
        return super().fit(train_set, val_set)


QUICK = (
    Unpopular(name="unpopular", verbose=False),
    MostPop(),
    EASE(name="EASE", lamb=50, verbose=False),
)
LAMBDAS = (500, 100, 20, 4, 0.5)
REGRET = RankingAgreement(QUICK, statistic="regret")


@dataclass
class World:
    evaluator: Evaluator
    users: Profiles
    train: Profiles


@pytest.fixture(scope="module")
def world():
    """Four tastes: 160 training, 140 reference, 140 held-out users, and 140 whom nobody has."""
    users = taste_world(580, n_items=60, mean_size=12, seed=3)
    train, reference, held_out, others = np.split(np.arange(580), [160, 300, 440])
    evaluator = Evaluator.fit(users[train], users[reference], users[held_out], rng=1)
    return World(evaluator, users[others], users[train])


def corrupted(world, share):
    popularity = world.train.item_counts
    matrix = swap(world.users.matrix, share, popularity=popularity, rng=5)
    return Profiles.from_matrix(matrix, world.users.item_ids)


# ------------------------------------------------------------------------------- order statistics


def test_tau_b_by_hand():
    # Pairs: (1,2) tied in the first; (1,3), (2,3) the same way in both. 2 / sqrt(2 x 3).
    assert tau_b([1, 1, 2], [1, 2, 3]) == pytest.approx(2 / np.sqrt(6))
    assert tau_b([1, 2, 3], [3, 2, 1]) == -1
    assert tau_b([1, 1, 2], [5, 5, 9]) == pytest.approx(1)  # tau-a would be 2/3
    assert tau_b([1, 2, 3], [4, 4, 4]) == 0  # no order at all


def test_tau_b_is_that_of_scipy_row_by_row():
    random = np.random.default_rng(1)
    first, second = random.integers(0, 5, (2, 200, 7))
    expected = [
        stats.kendalltau(one, two).statistic for one, two in zip(first, second, strict=True)
    ]
    assert tau_b(first, second) == pytest.approx(np.nan_to_num(expected))
    assert tau_b(first[0], second) == pytest.approx(
        np.nan_to_num([stats.kendalltau(first[0], two).statistic for two in second])
    )


def test_regret_by_hand():
    worth = [[0.4, 0.3, 0.1], [0.4, 0.3, 0.1], [0.0, 0.0, 0.0]]
    picked_by = [[1, 2, 0], [7, 2, 7], [1, 2, 3]]
    # Rows: .4 - .3; .4 - (.4 + .1) / 2 as two tie; nothing to lose.
    assert regret(worth, picked_by) == pytest.approx([0.1, 0.15, 0])
    assert relative_regret(worth, picked_by) == pytest.approx([0.25, 0.375, 0])


def test_equal_columns_tie_whatever_the_order_of_users():
    random = np.random.default_rng(2)
    column = random.random(999)
    first = np.column_stack([column, random.random(999), column])
    for sample in (first, first[::-1]):
        means = mean_over_users(sample)
        assert means[0] == means[2]
    assert np.array_equal(mean_over_users(first), mean_over_users(first[random.permutation(999)]))
    (resampled,) = resampled_means([first], random, paired=True)
    assert np.array_equal(resampled[:, 0], resampled[:, 2])


def test_resamples_are_those_of_a_plain_bootstrap():
    samples = [np.random.default_rng(3).random((40, 2)), np.random.default_rng(4).random((40, 3))]
    random = np.random.default_rng(5)
    rows = [random.integers(40, size=40) for _ in range(3)]
    found = resampled_means(samples, np.random.default_rng(5), paired=True)
    for mean, sample in zip(found, samples, strict=True):
        assert mean[:3] == pytest.approx(np.array([sample[row].mean(axis=0) for row in rows]))
    apart = resampled_means(samples, np.random.default_rng(5), paired=False)
    assert apart[1][0] == pytest.approx(samples[1][rows[1]].mean(axis=0))


def test_paired_users_make_a_narrow_interval():
    """One recommender is better by .01 for every user, though users differ by far more."""
    users = np.random.default_rng(6).random((60, 1))
    first = users + np.array([0, 0.01])
    value, low, high = agreement(tau_b, first, first, np.random.default_rng(7), paired=True)
    assert (value, low, high) == (1, 1, 1)
    value, low, high = agreement(
        tau_b, first, users + 0.01 * np.ones(2), np.random.default_rng(7), paired=True
    )
    assert (value, low, high) == (0, 0, 0)
    apart = np.random.default_rng(8).random((60, 2))
    _, low, high = agreement(tau_b, apart, apart[::-1], np.random.default_rng(7), paired=False)
    assert (low, high) == (-1, 1)


def test_an_interval_holds_its_value():
    """Ten recommenders that hardly differ: resampled orders nearly all agree less."""
    first = np.random.default_rng(9).normal(size=(50, 10)) + np.arange(10) / 20
    value, low, high = agreement(tau_b, first, first[:, :], np.random.default_rng(1), paired=True)
    assert low <= value == 1 == high
    second = first + np.random.default_rng(10).normal(size=(50, 10))
    value, low, high = agreement(regret, first, second, np.random.default_rng(1), paired=True)
    assert 0 <= low <= value <= high


# ---------------------------------------------------------------------------------- hidden items


@pytest.mark.parametrize("k", [3, 100])
def test_accuracy_is_that_of_cornac_where_nothing_ties(k):
    users = taste_world(400, seed=4)
    shown, hidden = hold_out_items(users[300:], 0.2, np.random.default_rng(1))
    model = EASE(lamb=5, verbose=False).fit(users[:300].to_dataset())
    mask = shown.to_dataset(first_user=300)
    asked = hidden.to_dataset(first_user=300)
    metrics = [NDCG(k=k), Recall(k=k)]
    view = UnseenUsers(model, shown, 300)
    _, by_user = ranking_eval(view, metrics, model.train_set, asked, val_set=mask)
    for kind, expected in zip(("ndcg", "recall"), by_user, strict=True):
        found = hidden_item_accuracy(model, shown, hidden, k=k, kind=kind)
        assert found == pytest.approx([expected[300 + user] for user in range(100)])
        assert 0.1 < found.mean() < 1


def test_tied_scores_are_shared_out_as_over_all_orders():
    scores = np.array([[3.0, 1.0, 1.0, 2.0, 1.0, 0.0]])
    shown, hidden = sp.csr_array([[1, 0, 0, 0, 0, 0]]), sp.csr_array([[0, 1, 1, 0, 0, 1]])
    for k, kind in itertools.product((1, 2, 3, 6), ("ndcg", "recall")):
        values = []
        for order in itertools.permutations([1, 2, 4]):
            places = [place for place, item in enumerate([3, *order, 5], 1) if item in (1, 2, 5)]
            gains = [(1 / np.log2(1 + p) if kind == "ndcg" else 1) for p in places if p <= k]
            best = np.sum(1 / np.log2(np.arange(2, 2 + min(k, 3)))) if kind == "ndcg" else 3
            values.append(sum(gains) / best)
        assert found_shares(scores, shown, hidden, k=k, kind=kind) == pytest.approx(np.mean(values))


def test_tied_ndcg_is_that_of_scikit_learn():
    random = np.random.default_rng(5)
    users = taste_world(50, seed=6)
    shown, hidden = hold_out_items(users, 0.3, random)
    scores = random.integers(1, 6, size=users.matrix.shape).astype(float)
    masked = np.where(shown.matrix.toarray() > 0, 0, scores)
    expected = [
        ndcg_score(hidden.matrix[[user]].toarray(), masked[[user]], k=20) for user in range(50)
    ]
    assert found_shares(scores, shown.matrix, hidden.matrix, k=20) == pytest.approx(expected)


# ------------------------------------------------------------------------------------- the metric


def test_real_users_give_the_order_of_real_users(world):
    tau, lost = RankingAgreement(QUICK), RankingAgreement(QUICK, statistic="regret")
    found = tau.measure(world.evaluator, world.users, rng=1)
    assert found.value == found.ceiling == found.low == found.high == 1
    assert found.floor == pytest.approx(1 / 3)  # EASE and popularity change places
    assert found.normalised == 1
    assert found.loss == 0
    assert found.n_real == found.n_synthetic == 140
    found = lost.measure(world.evaluator, world.users, rng=1)
    assert found.value == found.ceiling == 0
    assert found.floor > 0.05
    assert tau.caution(world.evaluator) is None


def test_values_are_those_of_the_table(world):
    users = corrupted(world, 1.0)
    table = RankingAgreement(QUICK).table(world.evaluator, users)
    assert table["real"].is_monotonic_decreasing
    expected = stats.kendalltau(table["real"], table["synthetic"]).statistic
    found = RankingAgreement(QUICK).measure(world.evaluator, users, rng=1)
    assert found.value == pytest.approx(expected)
    assert found.ceiling == pytest.approx(stats.kendalltau(table.real, table.other_real).statistic)
    assert found.floor == pytest.approx(stats.kendalltau(table.real, table.popularity).statistic)
    pick = table["synthetic"].argmax()
    lost = table["real"].max() - table["real"][pick]
    measured = RankingAgreement(QUICK, statistic="regret").measure(world.evaluator, users, rng=1)
    assert measured.value == pytest.approx(lost, abs=1e-10)
    relative = RankingAgreement(QUICK, statistic="relative_regret")
    assert relative.measure(world.evaluator, users, rng=1).value == pytest.approx(
        lost / table["real"].max()
    )


def test_planted_corruption_lowers_agreement_and_raises_regret(world):
    """Half or three quarters of each user's items are replaced by popular ones."""
    recommenders = [MostPop()]
    recommenders += [EASE(name=f"{lamb}", lamb=lamb, verbose=False) for lamb in LAMBDAS]
    taus, lost = (
        [
            RankingAgreement(recommenders, k=10, statistic=statistic).measure(
                world.evaluator, users, rng=1
            )
            for users in (world.users, corrupted(world, 0.5), corrupted(world, 0.75))
        ]
        for statistic in ("tau", "regret")
    )
    assert taus[0].value > taus[1].value > taus[2].value
    assert taus[0].low > taus[2].high
    assert lost[0].high < lost[2].low


def test_a_world_upside_down_gives_minus_one(world):
    """Users of what nobody likes: what recommends the unpopular is the best by them."""
    counts = world.train.item_counts
    sizes = world.users.sizes
    strange = popularity_draws((counts.max() - counts + 1.0) ** 4, sizes, rng=2)
    users = Profiles.from_matrix(strange, world.users.item_ids)
    pair = [MostPop(), Unpopular(name="Unpopular", verbose=False)]
    found = RankingAgreement(pair).measure(world.evaluator, users, rng=1)
    assert found.value == found.low == found.high == -1
    table = RankingAgreement(pair).table(world.evaluator, users)
    assert table.recommender.tolist() == ["MostPop", "Unpopular"]
    lost = RankingAgreement(pair, statistic="regret").measure(world.evaluator, users, rng=1)
    assert lost.value == pytest.approx(table.real[0] - table.real[1])


def test_random_scores_agree_by_chance_only(world):
    """Of 100 recommenders without a clue: the standard deviation of tau is .068 under no relation.

    sqrt(2 (2n + 5) / (9 n (n - 1))) = .0678; |tau| > 5 of these: false alarm 6e-7.
    """
    recommenders = [Noise(f"noise {number}", number) for number in range(100)]
    found = RankingAgreement(recommenders, k=10).measure(world.evaluator, world.users, rng=1)
    assert abs(found.value) < 5 * 0.0678
    assert abs(found.ceiling) < 5 * 0.0678
    assert found.low < 0.2
    assert found.high > -0.2
    assert "no power" in RankingAgreement(recommenders, k=10).caution(world.evaluator)


def test_synthetic_users_as_judges_of_recommenders(world):
    metric = RankingAgreement(QUICK, test_on="synthetic")
    found = metric.measure(world.evaluator, world.users, rng=1)
    assert found.value == found.ceiling == 1
    assert found.n_real == 70  # half of the 140 train, half test
    # One user given back again and again: whoever has learnt it by heart finds all it hides.
    copies = Profiles.from_matrix(world.users.matrix[np.repeat([0, 1], 70)], world.users.item_ids)
    assert metric.table(world.evaluator, copies)["synthetic"].max() > 0.99
    few = RankingAgreement(QUICK).table(world.evaluator, copies)["synthetic"].max()
    assert few < 0.8


def test_recall_and_cut_off_change_what_is_found(world):
    tables = [
        RankingAgreement(QUICK, **settings).table(world.evaluator, world.users)
        for settings in ({}, {"accuracy": "recall", "k": 5}, {"k": 5}, {"hidden_share": 0.5})
    ]
    assert len({round(float(table["real"].sum()), 6) for table in tables}) == 4


def test_default_recommenders_tell_real_users_from_popular_ones(world):
    names = [model.name for model in default_recommenders()]
    assert len(set(names)) == len(names) == 7
    found = RankingAgreement().measure(world.evaluator, world.users, rng=1)
    assert found.floor < found.low <= found.value <= found.high
    assert RankingAgreement().recommenders == RankingAgreement(k=5).recommenders


def test_fits_are_shared_by_statistics_and_models(world):
    recommenders = [Counted(name="counted"), EASE(verbose=False)]
    evaluator = Evaluator.fit(
        world.train, world.evaluator.reference, world.evaluator.held_out, rng=2
    )
    Counted.fits = 0
    for statistic in STATISTICS:
        RankingAgreement(recommenders, statistic=statistic).measure(evaluator, world.users, rng=1)
    assert Counted.fits == 4  # training, reference, floor and synthetic users
    RankingAgreement(recommenders).measure(evaluator, corrupted(world, 0.5), rng=1)
    assert Counted.fits == 5
    assert not any(model.is_fitted for model in recommenders)


def test_values_of_ratings_do_not_matter(world):
    plain = RankingAgreement(QUICK).table(world.evaluator, world.users)
    stars = RankingAgreement(QUICK).table(world.evaluator, rated(world.users))
    assert plain.equals(stars)


def test_order_of_users_and_items_does_not_matter(world):
    random = np.random.default_rng(8)
    evaluator, users, metric = world.evaluator, corrupted(world, 0.6), RankingAgreement(QUICK, k=5)
    found = metric.measure(evaluator, users, rng=1)
    # All 140 synthetic users take part, so that their order is of no account.
    again = metric.measure(evaluator, users[random.permutation(140)], rng=1)
    assert (again.value, again.low, again.high) == (found.value, found.low, found.high)
    items = users.item_ids[random.permutation(60)]
    groups = (world.train, evaluator.reference, evaluator.held_out)
    turned = Evaluator.fit(*(group.align(items) for group in groups), rng=1)
    table = metric.table(turned, users.align(items))
    for column in ("real", "synthetic", "other_real"):
        expected = metric.table(evaluator, users)[column]
        assert table[column].to_numpy() == pytest.approx(expected.to_numpy())


def test_recommenders_without_a_seed_get_one(world):
    recommenders = [MostPop(), BPR(k=3, max_iter=20)]
    tables = []
    for _ in range(2):
        evaluator = Evaluator.fit(
            world.train, world.evaluator.reference, world.evaluator.held_out, rng=2
        )
        tables.append(RankingAgreement(recommenders).table(evaluator, world.users))
    assert tables[0].equals(tables[1])
    assert recommenders[1].seed is None


def test_without_training_users_there_is_no_ceiling(world):
    evaluator = Evaluator.fit(None, world.evaluator.reference, world.evaluator.held_out, rng=1)
    found = RankingAgreement(QUICK).measure(evaluator, world.users, rng=1)
    assert (found.value, found.ceiling, found.normalised) == (1, None, None)
    assert found.minimum_detectable is None
    assert RankingAgreement(QUICK).caution(evaluator) is None
    assert RankingAgreement(QUICK).table(evaluator, world.users).other_real.isna().all()


def test_empty_and_one_item_users(world):
    matrix = world.users.matrix.toarray()
    matrix[:60] = 0
    matrix[20:60, 3] = 1
    users = Profiles.from_matrix(sp.csr_array(matrix), world.users.item_ids)
    found = RankingAgreement(QUICK).measure(world.evaluator, users, rng=1)
    assert found.n_synthetic == 120  # 20 are empty
    nobody = Profiles.from_matrix(sp.csr_array(np.zeros((140, 60))), world.users.item_ids)
    message = "`users` must leave at least 20 users with items to train on, and to test on; got 0"
    with pytest.raises(NotMeasurableError, match=message):
        RankingAgreement(QUICK).measure(world.evaluator, nobody, rng=1)
    matrix[:] = 0
    matrix[:, 3] = 1  # they can train, but have nothing to hide
    alike = Profiles.from_matrix(sp.csr_array(matrix), world.users.item_ids)
    assert RankingAgreement(QUICK).measure(world.evaluator, alike, rng=1).n_real == 140
    with pytest.raises(NotMeasurableError, match=message):
        RankingAgreement(QUICK, test_on="synthetic").measure(world.evaluator, alike, rng=1)


def test_what_cannot_be_measured_says_so(world):
    same = RankingAgreement([EASE(verbose=False), EASE(name="again", verbose=False)])
    # All 60 items fit in a list of 100 places, so that everybody finds everything.
    everything = RankingAgreement(QUICK, accuracy="recall")
    for metric in (same, everything):
        with pytest.raises(NotMeasurableError, match="`recommenders` must be of different accur"):
            metric.measure(world.evaluator, world.users, rng=1)
    broken = RankingAgreement([MostPop(), Broken(name="broken", verbose=False)])
    with pytest.raises(NotMeasurableError, match="`scores` must be finite; got others for broken"):
        broken.measure(world.evaluator, world.users, rng=1)


@pytest.mark.parametrize(
    ("recommenders", "settings", "message"),
    [
        ([MostPop()], {}, "`recommenders` must be at least 2, to be ordered; got 1"),
        ([MostPop(), MostPop()], {}, "`recommenders` must have different names; got 'MostPop' twi"),
        ([MostPop(), EASE(trainable=False)], {}, "`recommenders` must be trainable; got 'EASE"),
        (None, {"k": 0}, "`k` must be at least 1; got 0"),
        (None, {"statistic": "rho"}, "`statistic` must be one of 'tau', 'regret', 'relative_regr"),
        (None, {"accuracy": "auc"}, "`accuracy` must be one of 'ndcg', 'recall'; got 'auc'"),
        (None, {"hidden_share": 0}, "`hidden_share` must be finite, above 0 and below 1; got 0"),
        (None, {"test_on": "both"}, "`test_on` must be one of 'real', 'synthetic'; got 'both'"),
    ],
)
def test_wrong_settings(recommenders, settings, message):
    with pytest.raises(ValueError, match=message):
        RankingAgreement(recommenders, **settings)


def test_wrong_recommenders():
    with pytest.raises(TypeError, match=r"must be a list of recommenders; got one .* Write \[one"):
        RankingAgreement(MostPop())
    with pytest.raises(TypeError, match="`recommenders` must hold recommenders of Cornac; got 3"):
        RankingAgreement([MostPop(), 3])


def test_names_say_what_was_asked():
    assert RankingAgreement().name == "RankingAgreement@100"
    metric = RankingAgreement(k=20, statistic="relative_regret", accuracy="recall")
    assert metric.name == "RankingAgreement@20 (relative regret, recall)"
    assert (metric.k, metric.cutoff, metric.higher_better) == (-1, 20, False)
    metric = RankingAgreement(test_on="synthetic")
    assert metric.name == "RankingAgreement@100 (synthetic test)"
    assert (metric.higher_better, metric.ideal, metric.bounds) == (True, 1, (-1, 1))


def test_progress_is_in_view_when_asked_for(world, capsys):
    evaluator = Evaluator.fit(
        world.train, world.evaluator.reference, world.evaluator.held_out, rng=2
    )
    RankingAgreement(QUICK, verbose=True).measure(evaluator, world.users, rng=1)
    assert "RankingAgreement@100: fits: 100%" in capsys.readouterr().err


def test_it_goes_beside_the_metrics_of_cornac():
    users = taste_world(400, n_items=60, mean_size=12, seed=9)
    method = HeldOutUsers(users.to_frame(), seed=1)
    metrics = [RankingAgreement(QUICK), REGRET, NDCG(k=10)]
    report = compare([TrainingUsers(), Popularity()], method, metrics=metrics)
    values = report.scores.pivot_table(index="metric", columns="model", values="value")
    assert values.loc["RankingAgreement@100", "TrainingUsers"] == 1
    assert values.loc["RankingAgreement@100", "Popularity"] < 0.5
    assert values.loc[REGRET.name, "TrainingUsers"] < values.loc[REGRET.name, "Popularity"]


@pytest.mark.slow
@pytest.mark.parametrize(("n_users", "coverage"), [(60, 0.8), (200, 0.9)])
def test_intervals_cover_the_truth(n_users, coverage):
    """20,000 users stand for everybody; recommenders are fitted once, as the estimand says.

    400 samples of users each. The 95% interval must hold the truth in so many of them as would be
    missed, at the coverage stated, in 1 of 1,000,000 cases. With 60 users it is too narrow for tau
    (.85), as some recommenders nearly tie; otherwise it holds the truth in .94 to .98.
    """
    everybody = taste_world(20_400, n_items=80, n_tastes=6, mean_size=12, seed=11)
    rows = np.arange(20_400)
    made = popularity_draws(everybody.item_counts, everybody.sizes[:200], rng=1)
    made = swap(everybody[rows[200:400]].matrix, 0.6, popularity=everybody.item_counts, rng=2)
    shown, hidden = hold_out_items(everybody[rows[400:]], 0.2, np.random.default_rng(3))
    accuracies = [
        np.column_stack(
            [
                hidden_item_accuracy(model, shown, hidden, k=20)
                for model in fitted(default_recommenders(), users, 1)
            ]
        )
        for users in (everybody[rows[:200]], Profiles.from_matrix(made, everybody.item_ids))
    ]
    random = np.random.default_rng(4)
    for name, statistic in STATISTICS.items():
        truth = float(statistic(*(accuracy.mean(axis=0) for accuracy in accuracies)))
        held = 0
        for _ in range(400):
            chosen = random.choice(20_000, n_users, replace=False)
            _, low, high = agreement(
                statistic, *(accuracy[chosen] for accuracy in accuracies), random, paired=True
            )
            held += low - 1e-9 <= truth <= high + 1e-9
        assert held >= stats.binom.ppf(1e-6, 400, coverage), name
