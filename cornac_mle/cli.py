"""Command line: compare models, sample users, list data sets."""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    import pandas as pd

    from cornac_mle.eval_methods.held_out_users import HeldOutUsers

app = typer.Typer(
    help="Are the users that a recommender model makes up believable?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True)

DatasetOption = Annotated[
    str, typer.Option("--dataset", help="A data set by name; `cornac-mle datasets` lists them.")
]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="CSV, TSV or Parquet file: user, item[, rating[, timestamp]]."),
]
ThresholdOption = Annotated[
    float | None,
    typer.Option(help="A rating of at least this is a like; lower ones are left out."),
]
SeedOption = Annotated[
    int, typer.Option(help="Random seed of the split, the fits and the sampling.", min=0)
]


def _models() -> dict[str, Callable[[int], Any]]:
    """Models by the name that the command line knows; one line makes a further one known."""
    from cornac_mle.models import LDA, PMF, VAE, Mixture, Popularity, TrainingUsers
    from cornac_mle.models.ease import ScaledEASE
    from cornac_mle.remedies import Filtered, MMDTuning

    return {
        "popularity": lambda seed: Popularity(),
        "training-users": lambda seed: TrainingUsers(),
        "mixture": lambda seed: Mixture(k=10, seed=seed),
        "lda": lambda seed: LDA(k=20, seed=seed),
        "pmf": lambda seed: PMF(k=20, seed=seed),
        "vae": lambda seed: VAE(latent="mixture", name="VAE", seed=seed),
        "vae-gaussian": lambda seed: VAE(latent="gaussian", name="VAE gaussian", seed=seed),
        "vae-prior": lambda seed: VAE(latent="prior", name="VAE prior", seed=seed),
        "vae-posterior": lambda seed: VAE(latent="posterior", name="VAE posterior", seed=seed),
        "vae-tuned": lambda seed: MMDTuning(
            VAE(latent="prior", seed=seed), name="VAE tuned", seed=seed
        ),
        "vae-filtered": lambda seed: Filtered(VAE(seed=seed), name="VAE filtered", seed=seed),
        "ease": lambda seed: ScaledEASE(verbose=False),
    }


# Spelt out, because `--help` must not import Cornac and the models.
KNOWN_MODELS = (
    "popularity, training-users, mixture, lda, pmf, "
    "vae, vae-gaussian, vae-prior, vae-posterior, vae-tuned, vae-filtered, ease"
)
DEFAULT_MODELS = "popularity,mixture,lda,pmf,vae-prior,vae,vae-tuned,training-users,ease"


@app.command()
def compare(
    dataset: DatasetOption = "complete-journey",
    data: DataOption = None,
    rating_threshold: ThresholdOption = None,
    models: Annotated[
        str,
        typer.Option(
            help=f"Comma-separated, of {KNOWN_MODELS}.",
            show_default=DEFAULT_MODELS.replace(",", ", "),  # so that help can break the line
        ),
    ] = DEFAULT_MODELS,
    seed: SeedOption = 123,
    fits: Annotated[
        int, typer.Option(help="Fits of each model, with consecutive seeds.", min=1)
    ] = 1,
    samples: Annotated[int, typer.Option(help="Sets of users drawn from each fit.", min=1)] = 1,
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs"),
) -> None:
    """Fit models, let them make up users, hold those against real users, write a run folder."""
    with _one_line_errors():
        _compare(dataset, data, rating_threshold, models, seed, fits, samples, out)


def _compare(
    dataset: str,
    data: Path | None,
    rating_threshold: float | None,
    models: str,
    seed: int,
    fits: int,
    samples: int,
    out: Path,
) -> None:
    from cornac_mle.eval_methods.held_out_users import HeldOutUsers
    from cornac_mle.report.table import output_console, score_table

    chosen = [_model(name.strip())(seed) for name in models.split(",")]
    name, frame, threshold = _feedback(dataset, data, rating_threshold)
    method = HeldOutUsers(
        frame, rating_threshold=threshold, seed=seed, n_samples=samples, dataset_name=name
    )
    interrupted = not _compared(chosen, method, range(seed, seed + fits))
    if method.report.entries:
        output_console().print(score_table(method.report))
        arguments = {
            "dataset": name,
            "rating_threshold": threshold,
            "models": models,
            "seed": seed,
            "fits": fits,
            "samples": samples,
            "interrupted": interrupted,
        }
        folder = _written(method, frame, out / f"{name}-{seed}", arguments)
        Console().print(f"Written: {folder}", highlight=False, soft_wrap=True)
    if interrupted:
        errors.print("interrupted: models that were not finished are not in the table")
        sys.exit(130)


def _compared(models: Sequence[Any], method: "HeldOutUsers", fit_seeds: Sequence[int]) -> bool:
    """Compare models under a progress bar; False where Ctrl-C stopped it, which keeps the rest."""
    from cornac_mle.comparison import compare as compare_models

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("judge of plausibility", total=None)
        _ = method.evaluator
        progress.update(task, total=len(models) * len(fit_seeds))

        def on_fit(model: str, done: int) -> None:
            progress.update(task, description=f"{model}: fit, sample, measure", completed=done)

        try:
            compare_models(models, method, fit_seeds=fit_seeds, on_fit=on_fit)
        except KeyboardInterrupt:
            return False
    return True


def _written(
    method: "HeldOutUsers", frame: "pd.DataFrame", folder: Path, arguments: dict[str, Any]
) -> Path:
    """Write the run folder of a comparison; gives its name."""
    from cornac_mle.diagnostics.unrealistic_preferences import preferences_by_model
    from cornac_mle.report.run_folder import hash_feedback, write_run

    with errors.status("unrealistic preferences"):
        preferences = preferences_by_model(method.evaluator, method.report.synthetic)
    return write_run(method.report, folder, arguments, hash_feedback(frame), preferences)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="File to write: .csv, .tsv, .parquet or .npz.")],
    model: Annotated[str, typer.Option(help="One model; `compare --help` lists them all.")] = "vae",
    n: Annotated[int, typer.Option("--n", help="Users to draw.", min=1)] = 1000,
    dataset: DatasetOption = "complete-journey",
    data: DataOption = None,
    rating_threshold: ThresholdOption = None,
    seed: SeedOption = 123,
) -> None:
    """Fit one model on all users of a data set and write users that it makes up."""
    with _one_line_errors():
        _sample(out, model, n, dataset, data, rating_threshold, seed)


def _sample(
    out: Path,
    model: str,
    n: int,
    dataset: str,
    data: Path | None,
    rating_threshold: float | None,
    seed: int,
) -> None:
    from cornac_mle.checks import refusal
    from cornac_mle.eval_methods.user_splits import whole_data
    from cornac_mle.files.paths import table_suffix
    from cornac_mle.models import GenerativeRecommender

    fresh = _model(model)(seed)
    if not isinstance(fresh, GenerativeRecommender):
        raise ValueError(refusal("model", "be one that can be sampled", repr(model)))  # noqa: TRY004  # the name is wrong
    table_suffix(out, also=(".npz",))  # before minutes of fitting, not after
    _, frame, threshold = _feedback(dataset, data, rating_threshold)
    with errors.status(f"{fresh.name}: fitting"):
        train_set, val_set = whole_data(frame, threshold, seed=seed)
        fresh.fit(train_set, val_set)
    with errors.status(f"{fresh.name}: drawing {n:,} users"):
        fresh.sample(n, rng=seed).write(out)
    line = f"Written: {out} ({n:,} users of {fresh.name})"
    Console().print(line, highlight=False, soft_wrap=True)


@app.command()
def datasets() -> None:
    """List data sets by name, with sizes, licences and whether they are on this machine."""
    from cornac_mle.datasets import DATASETS
    from cornac_mle.report.table import dataset_table, output_console

    output_console().print(dataset_table(DATASETS.values()))


def main() -> None:
    """Run the command line."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    app()


def _model(name: str) -> Callable[[int], Any]:
    from cornac_mle.checks import check_choice

    known = _models()
    return known[check_choice("model", name, list(known))]


def _feedback(
    dataset: str, data: Path | None, rating_threshold: float | None
) -> tuple[str, "pd.DataFrame", float | None]:
    """Name, table and like threshold of the data that was asked for."""
    from cornac_mle.datasets import DATASETS, load, load_named

    if data is not None:
        return data.name.split(".")[0], load(data), rating_threshold
    frame = load_named(dataset)
    if rating_threshold is None:
        rating_threshold = DATASETS[dataset].rating_threshold
    return dataset, frame, rating_threshold


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """End with exit status 2 and one line, not a traceback, where the input is at fault."""
    try:
        yield
    except (ValueError, TypeError, OSError, ImportError, RuntimeError) as error:
        line = " ".join(str(error).split())
        errors.print(f"error: {line}", style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        errors.print("interrupted: nothing was written", style="red")
        sys.exit(130)
