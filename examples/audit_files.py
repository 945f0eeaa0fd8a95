"""Two files of users, as any tool may have made them, held against one another.

The made-up users have real sizes and real popularity, and no taste: their items were shuffled.
"""

import tempfile
from pathlib import Path

import pandas as pd

from cornac_mle import audit
from cornac_mle.datasets import complete_journey

rows = pd.DataFrame(complete_journey.load_feedback(), columns=["user", "item", "rating"])
rows = rows[rows["rating"] >= 3][["user", "item"]]
is_real = rows["user"].astype(int) % 2 == 0
shuffled = rows[~is_real].copy()
shuffled["item"] = shuffled["item"].sample(frac=1, random_state=1).to_numpy()

with tempfile.TemporaryDirectory() as name:
    folder = Path(name)
    rows[is_real].to_csv(folder / "real.csv", index=False)
    shuffled.drop_duplicates().to_csv(folder / "fake.csv", index=False)

    report = audit(folder / "real.csv", folder / "fake.csv")
    report.write(folder / "run")
    print(*sorted(path.name for path in (folder / "run").iterdir()), sep="\n")

for answer in report.summary()["models"][0]["answers"].values():
    print(answer["sentence"])
