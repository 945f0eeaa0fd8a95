"""A summary written by hand, with every number chosen, for pictures."""

import copy

NAMES = ("PMF", "VAE <prior> & $x$")
ODD = "no real user holds it"


def value(mean, low=None, high=None, real=None, floor=None):
    is_apart = real is not None and floor is not None and real != floor
    return {
        "value": mean,
        "low": low,
        "high": high,
        "p_value": None,
        "real_users": real,
        "popularity": floor,
        "normalised": (mean - floor) / (real - floor) if is_apart else None,
        "minimum_detectable": None,
        "is_bound": False,
        "n_fits": 1,
        "sd_over_fits": None,
        "n_real": 100,
        "n_synthetic": 100,
        "n_left_out": 0,
    }


def metric(name, *, second=False):
    return {
        "name": name,
        "best": "0",
        "meaning": "what it is",
        "judge": None,
        "level": 0.05,
        "tail": None,
        "conditional": False,
        "second_opinion": second,
        "caution": None,
    }


def item(name, p_value, *, offends=False, against=(), why=None):
    return {
        "item": name,
        "name": None,
        "p_value": p_value,
        "percentile": 0.5,
        "is_offending": offends,
        "against": list(against),
        "why": why,
    }


def gallery():
    items = [
        item("tea $1$", 0.004, offends=True, against=["jam", "<b>"], why="odder"),
        item("unheard-of", 0.02, offends=True, why=ODD),
        item("bread", 0.6),
        item("milk", None),
    ]
    worst = {
        "kind": "worst",
        "id": "s7",
        "p_value": 0.01,
        "is_flagged": True,
        "n_items": 30,
        "n_more": 26,
        "items": items,
    }
    real = {**worst, "kind": "real", "id": "u1", "items": items[2:], "n_items": 2, "n_more": 0}
    return {"q": 0.1, "n_users": 100, "n_flagged": 20, "users": [worst, real], "pairs": []}


def curves(shift):
    shares = [0.1, 0.2, 0.4, 0.2, 0.1]
    moved = shares[shift:] + shares[:shift]
    groups = {"real": shares, "synthetic": moved, "popularity": [*shares[::-1][2:], 0.1, 0.2]}
    return {
        "plausibility": {"edges": [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], **groups},
        "sizes": {"edges": [1.0, 2.0, 4.0, 8.0, 16.0, 32.0], **groups},
        "popularity": {
            "items": [0.0, 0.5, 1.0],
            "real": [0.0, 0.8, 1.0],
            "synthetic": [0.0, 0.8 - 0.1 * shift, 1.0],
            "popularity": [0.0, 0.7, 1.0],
        },
    }


def model(name, place):
    return {
        "name": name,
        "parameters": "",
        "n_users": 100,
        "values": {
            "UnrealisticUsers@0.05": value(0.2 + 0.3 * place, 0.1, 0.6, 0.05, 0.8),
            "UnrealisticUsers@0.05 (svd)": value(0.9, 0.8, 1.0, 0.05, 0.8),
            "NeighbourCoverage@5": value(0.9 - 0.3 * place, 0.5, 0.95, 0.96, 0.4),
            "CopiedUsers": value(0.1, 0.0, 0.2, 0.03, 0.03),
            "PopularityJS": value(0.9 * place, 0.0, 0.95, 0.1, 0.2),
            "NDCG@100": value(0.3, 0.2, 0.4),
        },
        "leak": None,
        "answers": {
            name: {"metric": asked, "verdict": "worse", "sentence": "So it is."}
            for name, asked in (
                ("believable", "UnrealisticUsers@0.05"),
                ("complete", "NeighbourCoverage@5"),
                ("nobodys", None),
            )
        },
        "judges": {},
        "own_family": None,
        "alert": None,
        "failed": None,
        "unknown_items": None,
        "gallery": gallery() if place == 0 else None,
        "curves": curves(place),
    }


def summary(names=NAMES):
    models = [model(name, place % 2) for place, name in enumerate(names)]
    failed = {**copy.deepcopy(models[0]), "name": "none", "values": {}, "curves": None}
    return {
        "format": "cornac-mle summary",
        "version": 1,
        "kind": "compare",
        "dataset": "tastes",
        "groups": {"train": 100, "held_out": 100},
        "dropped": {},
        "notes": [],
        "not_asked": {},
        "metrics": [metric(name, second="(svd)" in name) for name in models[0]["values"]],
        "models": [*models, {**failed, "failed": "it broke", "gallery": None}],
        "differences": None,
        "judge_agreement": [],
        "made": {},
    }
