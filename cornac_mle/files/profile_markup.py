"""What a notebook shows of profiles: counts, and the first users."""

import numpy as np
import pandas as pd
import scipy.sparse as sp

from cornac_mle.files.markup import block, named_values, shortened, table

FIRST_USERS, FIRST_ITEMS = 5, 5
"""Users that are shown, and items of each."""


def profiles_html(matrix: sp.csr_array, user_ids: pd.Index, item_ids: pd.Index) -> str:
    """Lay out counts, sizes and the first users as HTML."""
    sizes = np.diff(matrix.indptr)
    counts = {
        "users": f"{matrix.shape[0]:,}",
        "items": f"{matrix.shape[1]:,}, of which {len(np.unique(matrix.indices)):,} are held",
        "preferences": f"{matrix.nnz:,}",
    }
    if sizes.size:
        most = f"{sizes.min():,} to {sizes.max():,}, median {np.median(sizes):g}"
        counts["items a user"] = most
    rows = []
    for row, user in enumerate(user_ids[:FIRST_USERS]):
        held = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
        names = [shortened(item) for item in item_ids[held[:FIRST_ITEMS]]]
        more = [f"{len(held) - FIRST_ITEMS:,} more"] if len(held) > FIRST_ITEMS else []
        rows.append((shortened(user), f"{len(held):,}", ", ".join([*names, *more]) or "none"))
    first = table(("first users", "items", "held"), rows, of_words=True) if rows else ""
    return block("Profiles", named_values(counts), first)
