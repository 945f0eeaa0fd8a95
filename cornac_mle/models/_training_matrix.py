"""The users x items matrix of a Cornac Dataset, which models are fitted to."""

import numpy as np
import scipy.sparse as sp
from cornac.data import Dataset

from cornac_mle.checks import refusal


def check_dataset(name: str, value: object) -> None:
    """Raise unless `value` is a Cornac Dataset."""
    if not isinstance(value, Dataset):
        rule, advice = "be a cornac.data.Dataset", "profiles.to_dataset() makes one."
        raise TypeError(refusal(name, rule, type(value).__name__, advice))


def dataset_matrix(dataset: Dataset) -> sp.csr_array:
    """Copy the users x items matrix of a Cornac Dataset: canonical float32 CSR."""
    matrix = sp.csr_array(dataset.csr_matrix, dtype=np.float32, copy=True)
    matrix.sum_duplicates()
    return matrix


def training_matrix(train_set: Dataset) -> sp.csr_array:
    """Copy the matrix of a training set, (n_users, n_items) float32.

    Raises
    ------
    ValueError
        If a value is not above 0, or not finite.
    """
    matrix = dataset_matrix(train_set)
    if not (np.isfinite(matrix.data) & (matrix.data > 0)).all():
        advice = "Drop or shift such ratings before the split."
        raise ValueError(refusal("train_set", "hold values above 0", "others", advice))
    return matrix
