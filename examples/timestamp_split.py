"""Ratings before a time train, those after it test, as by Cornac's TimestampSplit.

The embedded data have no times. They are made up here, so only the realism is worth reading.
"""

import cornac
import numpy as np
from cornac.metrics import NDCG
from cornac.models import BPR, MostPop

from cornac_mle.datasets import complete_journey
from cornac_mle.eval_methods import TimestampSplit
from cornac_mle.metrics import UnrealisticUsers

feedback = complete_journey.load_feedback()
days = np.random.default_rng(123).integers(1, 366, len(feedback)).tolist()
feedback = [(*row, day) for row, day in zip(feedback, days, strict=True)]
timestamp_split = TimestampSplit(
    feedback, val_timestamp=270, test_timestamp=300, rating_threshold=3.0, seed=123
)

models = [MostPop(), BPR(k=10, max_iter=20, seed=123)]
metrics = [NDCG(k=100), UnrealisticUsers(alpha=0.05)]

cornac.Experiment(eval_method=timestamp_split, models=models, metrics=metrics).run()
