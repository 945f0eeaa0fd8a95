"""Who would hold what if only the sizes of profiles and the popularity of items were known.

The bipartite configuration model: among all distributions of a users x items matrix whose expected
row and column sums are the observed ones, the one of largest entropy. Its entries are independent,

    P(user u holds item i) = x_u y_i / (1 + x_u y_i),

so that the number of users who hold two items is a sum of independent events of unequal
probability (`poisson_binomial_cdf`). Unlike a product of popularities, it knows that users of large
profiles hold many pairs.

Users of one profile size have one x, items of one popularity one y: everything here is computed
on the distinct sizes and popularities, of which there are a few hundred where there are thousands
of users and items.
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy import optimize
from scipy.special import expit

from cornac_mle.checks import refusal
from cornac_mle.sparse import FloatArray, IntArray

MARGIN_TOLERANCE = 1e-6
"""Largest error of an expected margin, relative to its observed value."""


@dataclass(frozen=True, eq=False)
class UserItemOdds:
    """The fitted null: odds that a user of some profile size holds an item of some popularity.

    Attributes
    ----------
    odds : ndarray, shape (n_sizes, n_popularities)
        Odds x_u y_i, in [0, inf]: 0 where nobody of that size can hold such an item (the size or
        the popularity is 0), inf where everybody must.
    size_users : ndarray of int, shape (n_sizes,)
        Number of users of each distinct profile size.
    user_class : ndarray of int, shape (n_users,)
        Row of `odds` of each user.
    item_class : ndarray of int, shape (n_items,)
        Column of `odds` of each item.
    """

    odds: FloatArray
    size_users: IntArray
    user_class: IntArray
    item_class: IntArray

    @property
    def probabilities(self) -> FloatArray:
        """P(user holds item) by distinct size and popularity, (n_sizes, n_popularities)."""
        with np.errstate(divide="ignore"):
            return np.asarray(expit(np.log(self.odds)), dtype=np.float64)


def fit_two_margin_null(profiles: sp.csr_array) -> UserItemOdds:
    r"""Fit the maximum-entropy null whose expected margins are the observed ones.

    User u holds item i, independently of all else, with probability

    .. math:: P(u, i) = \frac{x_u y_i}{1 + x_u y_i}.

    Parameters
    ----------
    profiles : csr_array, shape (n_users, n_items)
        Profiles; only which entries are stored counts. Users and items may be empty, and users may
        hold all items.

    Returns
    -------
    UserItemOdds
        Expected profile sizes and popularities agree with the observed ones to 1e-6.

    Raises
    ------
    ValueError
        If there is no user or no item.
    RuntimeError
        If the equations could not be solved.

    Notes
    -----
    The configuration model of [1]_, bipartite as in [2]_. With k_u and k_i the sizes of profiles
    and the popularities of items, the equations are solved as the minimum of the function

    .. math:: \sum_{u, i} \log(1 + x_u y_i) - \sum_u k_u \log x_u - \sum_i k_i \log y_i,

    convex in log x and log y, by a trust region method. An iteration takes the cube of the number
    of distinct sizes and popularities: seconds for a thousand.

    References
    ----------
    .. [1] Squartini & Garlaschelli (2011), "Analytical maximum-likelihood method to detect patterns
       in real networks", New J. Physics 13.
    .. [2] Saracco et al. (2015), "Randomizing bipartite networks: the case of the World Trade Web",
       Scientific Reports 5.

    Examples
    --------
    One item held by both users is held for sure; the other is held by one of two alike users.

    >>> null = fit_two_margin_null(sp.csr_array([[1, 1, 0], [1, 0, 1]]))
    >>> null.probabilities[null.user_class][:, null.item_class]
    array([[1. , 0.5, 0.5],
           [1. , 0.5, 0.5]])
    """
    if 0 in profiles.shape:
        raise ValueError(refusal("profiles", "have users and items", profiles.shape))
    sizes, user_class, size_users = np.unique(
        np.diff(profiles.indptr), return_inverse=True, return_counts=True
    )
    popularities, item_class, popularity_items = np.unique(
        np.bincount(profiles.indices, minlength=profiles.shape[1]),
        return_inverse=True,
        return_counts=True,
    )
    odds = _class_odds(sizes.astype(np.int64), size_users, popularities, popularity_items)
    return UserItemOdds(
        odds, size_users.astype(np.int64), user_class.astype(np.int64), item_class.astype(np.int64)
    )


def _class_odds(
    sizes: IntArray, size_users: IntArray, popularities: IntArray, popularity_items: IntArray
) -> FloatArray:
    """Odds by distinct size and popularity: certain rows and columns first, then the equations."""
    odds = np.zeros((sizes.size, popularities.size))
    rows, columns = np.arange(sizes.size), np.arange(popularities.size)
    size, popularity = sizes.copy(), popularities.copy()
    while rows.size and columns.size:
        n_users, n_items = size_users[rows].sum(), popularity_items[columns].sum()
        # One kind at a time: after it is gone, others may have become empty or full.
        if np.any(gone := size[rows] == 0):
            rows = rows[~gone]
        elif np.any(gone := popularity[columns] == 0):
            columns = columns[~gone]
        elif np.any(gone := size[rows] == n_items):
            odds[np.ix_(rows[gone], columns)] = np.inf
            popularity[columns] -= size_users[rows[gone]].sum()
            rows = rows[~gone]
        elif np.any(gone := popularity[columns] == n_users):
            odds[np.ix_(rows, columns[gone])] = np.inf
            size[rows] -= popularity_items[columns[gone]].sum()
            columns = columns[~gone]
        else:
            odds[np.ix_(rows, columns)] = _solved_odds(
                size[rows], size_users[rows], popularity[columns], popularity_items[columns]
            )
            break
    return odds


def _solved_odds(
    sizes: IntArray, size_users: IntArray, popularities: IntArray, popularity_items: IntArray
) -> FloatArray:
    """Solve for the odds where no margin is 0 or full, (n_sizes, n_popularities)."""
    total = float(sizes @ size_users)
    cells = np.outer(size_users, popularity_items).astype(np.float64)
    wanted = np.concatenate([sizes * size_users, popularities * popularity_items]).astype(float)
    # Odds do not change when all x are doubled and all y halved: the last y stays where it is.
    last = np.log(popularities[-1] / np.sqrt(total))
    start = np.log(np.concatenate([sizes, popularities[:-1]]) / np.sqrt(total))

    def log_odds(parameters: FloatArray) -> FloatArray:
        y = np.append(parameters[sizes.size :], last)
        return np.asarray(np.add.outer(parameters[: sizes.size], y), dtype=np.float64)

    def loss(parameters: FloatArray) -> float:
        fitted = np.sum(cells * np.logaddexp(0, log_odds(parameters)))
        return float(fitted - np.append(parameters, last) @ wanted) / total

    def margins(parameters: FloatArray) -> FloatArray:
        expected = np.asarray(cells * expit(log_odds(parameters)), dtype=np.float64)
        return np.concatenate([expected.sum(axis=1), expected.sum(axis=0)])

    def gradient(parameters: FloatArray) -> FloatArray:
        return np.asarray((margins(parameters) - wanted)[:-1] / total, dtype=np.float64)

    def hessian(parameters: FloatArray) -> FloatArray:
        share = expit(log_odds(parameters))
        curvature = cells * share * (1 - share)
        upper = np.hstack([np.diag(curvature.sum(axis=1)), curvature])
        lower = np.hstack([curvature.T, np.diag(curvature.sum(axis=0))])
        return np.vstack([upper, lower])[:-1, :-1] / total

    found = optimize.minimize(
        loss, start, jac=gradient, hess=hessian, method="trust-exact", options={"gtol": 1e-13}
    )
    error = float(np.max(np.abs(margins(found.x) / wanted - 1)))
    if not error <= MARGIN_TOLERANCE:
        msg = (
            f"the two-margin null did not converge: a margin is off by {error:.1e} of its value, "
            f"more than {MARGIN_TOLERANCE:g}, after {found.nit} steps. Leave out users and items "
            "with extreme margins."
        )
        raise RuntimeError(msg)
    return np.asarray(np.exp(log_odds(found.x)), dtype=np.float64)
