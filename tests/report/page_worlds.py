"""Reports whose page is known: planted preferences, hostile names, many models."""

import copy
import functools

import numpy as np
import scipy.sparse as sp

from cornac_mle import audit
from worlds import checkerboard, profiles

N_ITEMS = 60
PLANTED = ("i50", "i55")
"""Items that user s4, who is of the first half, holds of the second."""
HOSTILE = {
    "i50": "<script>document.title = 'taken over'</script>",
    "i55": "<img src=x onerror=\"document.title='taken over'\"> & 'quotes' \"too\"",
    "i4": "\u05e9\u05dc\u05d5\u05dd \u202eright to left",
    "i10": "x" * 500,
    "i20": "two\nlines, \x1b[31mred\x00 {{ 7 * 7 }} $\\alpha$",
    "i14": "</bdi></li></ul></details><style>body{display:none}</style>",
}


@functools.cache
def _audited():
    real = checkerboard(600, n_items=N_ITEMS, density=0.3, seed=1)
    made = checkerboard(300, n_items=N_ITEMS, density=0.3, seed=2).matrix.tolil()
    made[4, [50, 55]] = 1
    synthetic = profiles(sp.csr_array(made.tocsr().astype(np.float32)), "s")
    names = {f"i{place}": f"jam {place}" for place in range(N_ITEMS)} | HOSTILE
    return audit(real, synthetic, names=names, dataset_name="jams <b>and</b> teas").summary()


def planted_summary():
    """An audit of 300 users, one of whom holds planted items; names of items are hostile."""
    return copy.deepcopy(_audited())


def many_models(count, letters=20, n_users=100_000, n_drawn=1, n_items=60):
    """As of `count` models and `n_users` users, each shown user holding many items of long names.

    The first `n_drawn` have pictures: a drawing takes longest of all.
    """
    summary = planted_summary()
    first = summary["models"][0]
    summary["groups"] = dict.fromkeys(summary["groups"], n_users)
    summary["models"] = []
    for place in range(count):
        model = copy.deepcopy(first)
        model["name"] = f"Model {place} <b>"
        model["n_users"] = n_users
        if place >= n_drawn:
            model["curves"] = None
        model["gallery"]["n_users"] = n_users
        for value in model["values"].values():
            value["value"] = value["value"] and value["value"] + place / 100
        for user in model["gallery"]["users"]:
            items = user["items"]
            user["items"] = [dict(items[turn % len(items)]) for turn in range(n_items)]
            for turn, item in enumerate(user["items"]):
                item["name"] = f"{turn} ".ljust(letters, "<")
            user["n_items"], user["n_more"] = n_items + 10, 10
        summary["models"].append(model)
    return summary
