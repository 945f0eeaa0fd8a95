"""Cornac's experiment with its results as tables, and no file that nobody asked for."""

import sys
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cornac
import numpy as np
import pandas as pd
from cornac.eval_methods import BaseMethod, CrossValidation
from cornac.experiment.result import Result
from cornac.metrics import RankingMetric, RatingMetric
from cornac.models import Recommender

from cornac_mle.checks import check_different_names, refusal
from cornac_mle.eval_methods.held_out_users_cv import HeldOutUsersCV
from cornac_mle.files.interactions import write_table
from cornac_mle.metrics.base import RealismMetric


class Experiment(cornac.Experiment):  # type: ignore[misc]  # Cornac has no types
    """Cornac's `Experiment`, with tables of its results; for any evaluation method.

    It prints what Cornac prints. Unlike Cornac it writes no log file into the working directory:
    logs and models are stored if `save_dir` is given. What is no model and no metric, which Cornac
    drops without a word, is an error; so are two models of one name, which no table could tell
    apart.

    Parameters
    ----------
    eval_method, models, metrics, user_based, show_validation, verbose, save_dir
        Arguments of Cornac's `Experiment`, in the same order.

    Raises
    ------
    TypeError
        If an entry of `models` is no Cornac model, or one of `metrics` no Cornac metric.
    ValueError
        If `models` or `metrics` is no list or empty, or two models have one name.

    Examples
    --------
    >>> from cornac.eval_methods import RatioSplit
    >>> from cornac.metrics import Recall
    >>> from cornac.models import MostPop
    >>> data = [(user, item, 1.0) for user in "abcdef" for item in range(ord(user) % 3, 30, 2)]
    >>> experiment = Experiment(RatioSplit(data, seed=1), [MostPop()], [Recall(k=2)])
    >>> experiment.run()  # doctest: +ELLIPSIS
    <BLANKLINE>
    TEST:
    ...
    >>> experiment.scores.loc[0, ["model", "metric", "split"]].tolist()
    ['MostPop', 'Recall@2', 'test']
    """

    eval_method: BaseMethod
    metrics: list[RankingMetric | RatingMetric]

    @staticmethod
    def _validate_models(input_models: Any) -> list[Recommender]:
        models = entries("models", input_models)
        for model in models:
            if not isinstance(model, Recommender):
                raise TypeError(refusal("models", "hold Cornac models", spelled(model)))
        names = [model.name for model in models]
        check_different_names("models", names, "Pass name=... to one of them.")
        return models

    @staticmethod
    def _validate_metrics(input_metrics: Any) -> list[RankingMetric | RatingMetric]:
        metrics = entries("metrics", input_metrics)
        for metric in metrics:
            if not isinstance(metric, RankingMetric | RatingMetric):
                advice = "Write it with brackets, for example NDCG(k=100)."
                raise TypeError(refusal("metrics", "hold Cornac metrics", spelled(metric), advice))
        return metrics

    def run(self) -> None:
        """Fit and evaluate every model, and print the results."""
        if self.save_dir is not None:
            Path(self.save_dir).mkdir(parents=True, exist_ok=True)
            super().run()
            return
        self._create_result()
        if self.verbose:
            for part in (self.eval_method, *self.models):
                part.verbose = True
        for model in self.models:
            found, on_validation = self.eval_method.evaluate(
                model=model,
                metrics=self.metrics,
                user_based=self.user_based,
                show_validation=self.show_validation,
            )
            self.result.append(found)
            if self.val_result is not None:
                self.val_result.append(on_validation)
        text = "" if self.val_result is None else f"\nVALIDATION:\n...\n{self.val_result}"
        sys.stdout.write(f"{text}\nTEST:\n...\n{self.result}\n")

    @property
    def scores(self) -> pd.DataFrame:
        """Tidy table of averages: one row a model, fold, split and metric.

        Columns: model, metric, fold (from 0; missing where there are none), split ("test" or
        "validation"), value. Cornac's seconds of training and testing are among the metrics. Folds
        are of Cornac's cross-validation, or the parts of its propensity-stratified evaluation.

        Raises
        ------
        RuntimeError
            If the experiment was not run.
        """
        rows = [
            (part.model_name, metric, fold, split, float(value))
            for split, fold, part in self._parts()
            for metric, value in part.metric_avg_results.items()
        ]
        table = pd.DataFrame(rows, columns=["model", "metric", "fold", "split", "value"])
        return table.astype({"fold": "Int64"})

    @property
    def per_user(self) -> pd.DataFrame:
        """Tidy table of the values of users: one row a model, fold, split, metric and user.

        Columns: model, metric, fold, split, user, value. Users are the ids of the data, and of
        metrics of synthetic users those of the first sampling seed, "s0", "s1", ...; sessions,
        where a user has several, are averaged. Metrics that are no mean over users (RMSE with
        ``user_based=False``, say) have no rows.

        Raises
        ------
        RuntimeError
            If the experiment was not run.
        """
        names = user_names(self.eval_method)
        realism = {metric.name for metric in self.metrics if isinstance(metric, RealismMetric)}
        parts = []
        for split, fold, result in self._parts():
            of_fold = names[fold or 0] if len(names) > 1 else names[0]
            for metric, by_user in (result.metric_user_results or {}).items():
                users = [user if metric in realism else of_fold.get(user, user) for user in by_user]
                values = [float(np.mean(value)) for value in by_user.values()]
                part = pd.DataFrame({"user": pd.Series(users, dtype=object), "value": values})
                for name, label in (("split", split), ("fold", fold), ("metric", metric)):
                    part.insert(0, name, label)
                part.insert(0, "model", result.model_name)
                parts.append(part.astype({"fold": "Int64"}))
        columns = ["model", "metric", "fold", "split", "user", "value"]
        filled = [part for part in parts if len(part)]
        return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)

    def to_csv(self, folder: str | Path) -> None:
        """Write scores.csv and per_user.csv into a folder, each whole or not at all.

        Raises
        ------
        RuntimeError
            If the experiment was not run.
        OSError
            If the folder is not writable, and so on.
        """
        tables = {"scores.csv": self.scores, "per_user.csv": self.per_user}
        for name, table in tables.items():
            write_table(table, Path(folder) / name)

    def _parts(self) -> Iterator[tuple[str, int | None, Result]]:
        """Results of every model: split, fold and the result itself."""
        if self.result is None:
            msg = "The experiment was not run. Call run() first."
            raise RuntimeError(msg)
        for split, results in (("test", self.result), ("validation", self.val_result or [])):
            for result in results:
                if isinstance(result, list):  # of folds
                    yield from ((split, fold, part) for fold, part in enumerate(result))
                else:
                    yield split, None, result


def entries(name: str, value: Any) -> list[Any]:
    """Return a list of models or metrics as a list, or raise."""
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if not (is_list and len(value)):
        # Cornac, too, raises a ValueError for what is no list.
        got = "none" if is_list else spelled(value)
        rule, advice = f"be a list with at least one {name[:-1]}", f"Write [{name[:-1]}]."
        raise ValueError(refusal(name, rule, got, advice))
    return list(value)


def spelled(value: object) -> str:
    """Spell what was found where an object was looked for."""
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"


def user_names(eval_method: BaseMethod) -> list[dict[int, Hashable]]:
    """Ids of the users behind Cornac's indices: of each fold, or one for all.

    Cornac's cross-validation refills one map fold by fold, so its folds are laid out again, which
    takes as long as splitting the data.
    """
    if isinstance(eval_method, HeldOutUsersCV):
        return [inverse(fold.global_uid_map) for fold in eval_method.folds]
    if not isinstance(eval_method, CrossValidation):
        return [inverse(eval_method.global_uid_map)]
    current, found = eval_method.current_fold, []
    for fold in range(eval_method.n_folds):
        eval_method.current_fold = fold
        eval_method._get_train_test()
        found.append(inverse(eval_method.global_uid_map))
    eval_method.current_fold = current
    return found


def inverse(indices: "dict[Hashable, int]") -> dict[int, Hashable]:
    """Ids by index, of a map from ids to indices."""
    return {index: name for name, index in indices.items()}
