"""What a run folder says of itself: each file, and each column of its tables."""

from collections.abc import Collection

FILES = {
    "report.html": "the page: open it in a browser; it needs no network",
    "report.md": "the same in short, as Markdown",
    "summary.json": "everything that the page shows, for programs; `cornac_mle.report.summary` "
    "says what each key means",
    "scores.csv": "a row for each model, metric, group of users and random seed",
    "unrealistic_users.csv": "a row for each synthetic user: how plausible",
    "unrealistic_preferences.csv": "the least plausible preferences of synthetic users",
    "items.csv": "names of items, where some were given",
    "profiles": "the synthetic users of each model; `Profiles.read` reads them. Tables have the "
    "columns user, item, rating; from a million preferences on they are arrays (.npz)",
    "manifest.json": "how it was made: what was asked for, random seeds, versions, hash of the "
    "data, what was left out, warnings",
    "config.yaml": "all settings: `cornac-mle compare --config config.yaml` repeats the run",
    "arrays.npz": "values of each user and on each half-split, numbered as the rows of scores.csv",
    "finished": "models that were finished, for `cornac-mle compare --resume`",
}
COLUMNS = {
    "scores.csv": {
        "dataset, model, parameters": "what was measured",
        "metric": "its name; docs/reference/metrics.md and the page say what each value means",
        "users": "real users it was held against: held-out, or others where it says so",
        "fit_seed, sampling_seed": "random seeds of the fit and of the draw; empty where there is "
        "none",
        "judge, level, tail, conditional": "of a share of flagged users: the family of the judge, "
        "the level of its p-values, who is flagged, and whether p-values hold within cells",
        "value": "the metric, in its own unit",
        "low, high": "95% interval",
        "p_value": "of the null hypothesis that synthetic users are as real ones",
        "ceiling, floor": "the same metric of real users, and of independent popularity",
        "normalised": "1 as real users, 0 as independent popularity; empty without power",
        "loss": "distance from the best value",
        "n_real, n_synthetic, n_left_out": "users compared, and synthetic users of too few items",
        "minimum_detectable": "about the smallest distance from the ceiling that is found",
        "effective_sample_size": "of a likelihood that is estimated",
    },
    "unrealistic_users.csv": {
        "model, fit_seed, sampling_seed, user": "who; s0, s1, ... where users have no ids",
        "p_value": "small: less plausible than real users",
        "q_value": "smallest false discovery rate at which the user is flagged",
        "flagged": "whether that is at most .1",
    },
    "unrealistic_preferences.csv": {
        "model, user, item": "whose and which",
        "rank": "1 is the worst of the user",
        "percentile": "of the item among those that the user does not hold, by the judge",
        "p_value": "small: odder than real users' preferences for items about as popular",
        "user_p_value, user_q_value, flagged": "as in unrealistic_users.csv",
        "why": "held items that speak most against it, with their weights",
    },
}


def folder_readme(names: Collection[str]) -> str:
    """Describe the files that are there, in Markdown."""
    parts = ["# What is in this folder", ""]
    parts += [f"- `{name}`: {text}." for name, text in FILES.items() if name in names]
    parts += [
        "",
        "Text in the tables that a spreadsheet would take for a formula begins with an apostrophe; "
        "profiles have ids exactly as they are. `Report.read(folder)` gives the report in Python, "
        "`cornac-mle report FOLDER` makes its pages again. Nothing here is a pickle.",
    ]
    for name, columns in COLUMNS.items():
        if name in names:
            parts += ["", f"## {name}", "", "| columns | meaning |", "|---|---|"]
            parts += [f"| {column} | {text} |" for column, text in columns.items()]
    return "\n".join(parts) + "\n"
