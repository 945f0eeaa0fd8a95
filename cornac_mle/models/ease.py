"""Cornac's EASE with a ridge that has the scale of the values it is fitted to."""

from typing import Self

import numpy as np
from cornac.data import Dataset
from cornac.models import EASE

from cornac_mle.models._training_matrix import dataset_matrix

RIDGE_OF_ONES = 300.0
"""Ridge that suits values of 1."""


class ScaledEASE(EASE):  # type: ignore[misc]  # Cornac has no types
    r"""EASE, a linear model of each item by the others, whose ridge has the scale of the values.

    Cornac's is fitted to the values x, so that a ridge which suits ones is too small for ratings.
    `fit` sets it:

    .. math:: \lambda = 300 \cdot \operatorname{mean}(x^2)

    with the mean over stored values. All else is Cornac's: arguments, fit, scores and name.

    Attributes
    ----------
    lamb : float
        Ridge of the last fit. What the constructor was given is overwritten.

    References
    ----------
    Steck: Embarrassingly Shallow Autoencoders for Sparse Data, WWW 2019.

    Examples
    --------
    >>> from cornac.data import Dataset
    >>> data = Dataset.from_uir([("ann", "tea", 4.0), ("ann", "jam", 2.0), ("bob", "tea", 2.0)])
    >>> ScaledEASE(verbose=False).fit(data).lamb  # 300 x (16 + 4 + 4) / 3
    2400.0
    """

    def fit(self, train_set: Dataset, val_set: Dataset | None = None) -> Self:
        """Set the ridge, and fit as Cornac does.

        Parameters
        ----------
        train_set : cornac.data.Dataset
            Training interactions.
        val_set : cornac.data.Dataset, optional
            Ignored, as by Cornac.
        """
        self.lamb = RIDGE_OF_ONES * float(np.mean(dataset_matrix(train_set).data ** 2))
        super().fit(train_set, val_set)
        return self
