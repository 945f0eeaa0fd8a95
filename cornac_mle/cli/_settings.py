"""What is written of a run in the making, so that another run can go on with it."""

from typing import Any

from cornac_mle.checks import refusal
from cornac_mle.cli._asked import Asked
from cornac_mle.cli._terminal import say
from cornac_mle.report.made import versions

SETTINGS = (
    *("name", "dataset", "data", "rating_threshold", "models", "metrics", "seed", "fits"),
    *("samples", "data_sha256", "versions"),
)
FORMAT = 2
"""Of what is written of a run in the making; another one is not gone on with."""


def settings_of(asked: Asked, name: str, threshold: float | None, data_hash: str) -> dict[str, Any]:
    """Give what a run must know to be gone on with."""
    return {
        "format": FORMAT,
        "name": name,
        "dataset": asked.dataset,
        "data": None if asked.data is None else str(asked.data.absolute()),
        "rating_threshold": threshold,
        "models": asked.models,
        "metrics": asked.metrics,
        "seed": asked.seed,
        "fits": asked.fits,
        "samples": asked.samples,
        "data_sha256": data_hash,
        "versions": versions(),
    }


def arguments_of(asked: Asked, settings: dict[str, Any]) -> dict[str, Any]:
    """Give what the manifest says was asked for."""
    names = ("rating_threshold", "models", "metrics", "seed", "fits", "samples")
    return {"dataset": settings["name"]} | {name: settings[name] for name in names}


def check_format(kept: dict[str, Any]) -> None:
    """Refuse records of another version of this file."""
    if kept.get("format") != FORMAT:
        rule = f"be written in format {FORMAT}"
        raise ValueError(refusal("--resume", rule, kept.get("format"), "Start anew."))
    missing = [name for name in SETTINGS if name not in kept]
    if missing or not isinstance(kept["versions"], dict):
        got = f"no {', '.join(missing) or 'versions'}"
        raise ValueError(refusal("--resume", "say what was asked for", got, "Start anew."))


def check_same(kept: dict[str, Any], now: dict[str, Any]) -> None:
    """Refuse other data than those of the run that is gone on with; say what else differs."""
    if kept["data_sha256"] != now["data_sha256"]:
        got = f"others (SHA-256 {now['data_sha256'][:8]}, not {kept['data_sha256'][:8]})"
        raise ValueError(refusal("--data", "be those of the run that --resume names", got))
    if kept["rating_threshold"] != now["rating_threshold"]:
        rule = f"be {kept['rating_threshold']}, as in the run that --resume names"
        raise ValueError(refusal("--rating-threshold", rule, now["rating_threshold"]))
    changed = [
        f"{package} {kept['versions'].get(package)} -> {version}"
        for package, version in now["versions"].items()
        if kept["versions"].get(package) != version
    ]
    if changed:
        say(f"warning: what is finished was measured with other versions: {', '.join(changed)}")
