"""Your own split of users: three tables, nobody in two of them."""

import cornac
import pandas as pd
from cornac.metrics import NDCG

from cornac_mle import HeldOutUsers, Mixture, Popularity
from cornac_mle.datasets import complete_journey
from cornac_mle.metrics import UnrealisticUsers

rows = pd.DataFrame(complete_journey.load_feedback(), columns=["user", "item", "rating"])
number = rows["user"].astype(int)

own_split = HeldOutUsers.from_splits(
    train_data=rows[number <= 1250],
    reference_data=rows[(number > 1250) & (number <= 1900)],  # they teach the judges
    test_data=rows[number > 1900],  # made-up users are held against them
    rating_threshold=3,
    seed=123,
)

models = [Popularity(), Mixture(k=10, n_init=1, seed=123)]
metrics = [NDCG(k=100), UnrealisticUsers(alpha=0.05)]

cornac.Experiment(eval_method=own_split, models=models, metrics=metrics).run()
