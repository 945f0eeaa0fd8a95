"""Who ranks well, who is believable, who gives nobody away? One picture of the zoo for the README.

Both panels are of Complete Journey and of the models that both scripts have measured, each on its
own split: `cornac_zoo.py` for the ranking, `membership.py` for the membership.

Command: python experiments/zoo_picture.py
Seconds: 5
"""

from pathlib import Path

import pandas as pd
from real_data import panels

from cornac_mle.report.placing import Named, place_labels
from cornac_mle.report.style import draw_ends, look, save, styled

HERE = Path(__file__).parent
FLAGGED = "UnrealisticUsers@0.05 (worst)"
PANELS = (
    ("cornac_zoo", "NDCG@100", "NDCG@100 of unseen users  (better to the right)"),
    (
        "membership_models",
        "MembershipInference",
        "AUC of telling training users from new ones  (better to the left; .5 is a coin)",
    ),
)
OURS = ("Popularity", "Training users", "Mixture", "LDA", "PMF", "VAE")


def of_complete_journey(name: str) -> pd.DataFrame:
    """Rows of one script's table, by metric and model."""
    table = pd.read_csv(HERE / "results" / f"{name}.csv")
    return table[table["dataset"] == "complete_journey"].set_index(["metric", "model"])


def main() -> None:
    tables = [of_complete_journey(name) for name, _, _ in PANELS]
    models = [
        model
        for model in tables[0].loc[FLAGGED].index
        if all((FLAGGED, model) in table.index for table in tables)
    ]
    figure, axes = panels(1, 2, (15.0, 6.4), sharey=True)
    for axis, table, (_, metric, label) in zip(axes[0], tables, PANELS, strict=True):
        flagged, across = table.loc[FLAGGED].loc[models], table.loc[metric].loc[models]
        draw_ends(axis, flagged["ceiling"].iloc[0], flagged["floor"].iloc[0])
        for place, is_ours in enumerate((False, True)):
            some = [model for model in models if (model in OURS) == is_ours]
            errors = [
                flagged.loc[some, "value"] - flagged.loc[some, "low"],
                flagged.loc[some, "high"] - flagged.loc[some, "value"],
            ]
            axis.errorbar(
                across.loc[some, "value"],
                flagged.loc[some, "value"],
                errors,
                elinewidth=0.8,
                **look(place).points("ours" if is_ours else "Cornac's, sampled"),
            )
        axis.set_xlabel(label)
        axis.margins(x=0.12)
    axes[0][0].set_ylim(-0.03, 1.0)
    axes[0][0].set_ylabel("made-up users flagged at .05, worst of three judges  (better below)")
    axes[0][0].set_title("Ranking")
    axes[0][1].set_title("Membership")
    handles = axes[0][0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4, frameon=False)
    for axis, table, (_, metric, _) in zip(axes[0], tables, PANELS, strict=True):
        flagged, across = table.loc[FLAGGED].loc[models], table.loc[metric].loc[models]
        points = [
            Named(model, x, one.value, x, x, one.low, one.high)
            for model, x, one in zip(models, across["value"], flagged.itertuples(), strict=True)
        ]
        ends = [(None, flagged[end].iloc[0]) for end in ("ceiling", "floor")]
        place_labels(axis, points, lines=ends)
    save(figure, HERE / "pictures" / "zoo.png")


if __name__ == "__main__":
    with styled():
        main()
