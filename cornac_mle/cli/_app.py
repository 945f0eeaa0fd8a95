"""The commands and their options; what they do lies in a file each, imported when it is needed."""

import logging
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from cornac_mle.cli._asked import Asked, given_options
from cornac_mle.cli._metrics import DEFAULT_METRICS
from cornac_mle.cli._models import DEFAULT_MODELS, KNOWN_MODELS
from cornac_mle.cli._terminal import NOT_PRINTED, STOP, OneLine, OneLineGroup, write

app = typer.Typer(
    cls=OneLineGroup,
    help="Are the users that a recommender model makes up believable?",
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

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
    int, typer.Option(help="Random seed of the split, the fits and the sampling.")
]
ColumnOption = Annotated[
    str | None, typer.Option(help="Name or number (from 1) of a column, if it cannot be known.")
]
JobsOption = Annotated[
    int | None,
    typer.Option(help="Processes at most; one a processor if not given. The numbers are the same."),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print the summary for programs instead of the table.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", help="Print the path of the run folder, and errors, alone.")
]


def _version(is_asked: bool) -> None:
    if is_asked:
        from cornac_mle import __version__

        raise typer.Exit(0 if write(f"cornac-mle {__version__}\n") else NOT_PRINTED)


@app.callback()
def every_command(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Say whether the users that a recommender model makes up are believable."""
    _log_in_one_line()


@app.command()
def compare(
    context: typer.Context,
    dataset: DatasetOption = "complete-journey",
    data: DataOption = None,
    rating_threshold: ThresholdOption = None,
    models: Annotated[
        str,
        typer.Option(
            help=f"Comma-separated, of {KNOWN_MODELS}, and Cornac's (bpr, wmf, vaecf, ...). "
            "Parameters in parentheses: PMF(k=50).",
            show_default=DEFAULT_MODELS.replace(",", ", "),  # so that help can break the line
        ),
    ] = DEFAULT_MODELS,
    metrics: Annotated[
        str,
        typer.Option(
            help="Comma-separated: metrics of cornac_mle and Cornac, such as NDCG(k=20).",
            show_default=DEFAULT_METRICS.replace(",", ", "),
        ),
    ] = DEFAULT_METRICS,
    seed: SeedOption = 123,
    fits: Annotated[int, typer.Option(help="Fits of each model, with consecutive seeds.")] = 1,
    samples: Annotated[int, typer.Option(help="Sets of users drawn from each fit.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs"),
    resume: Annotated[
        Path | None,
        typer.Option(help="Run folder that was cut short: go on with it, with its settings."),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML file of settings, such as RUN/config.yaml; options win over it."),
    ] = None,
    jobs: JobsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit models, let them make up users, hold those against real users, write a run folder."""
    _import_joblib()
    from cornac_mle.cli._workers import Workers, job_count

    asked = Asked(
        dataset=dataset,
        data=data,
        rating_threshold=rating_threshold,
        models=models,
        metrics=metrics,
        seed=seed,
        fits=fits,
        samples=samples,
        out=out,
        quiet=quiet,
        as_json=as_json,
    )
    n_fits = (models.count(",") + 1) * fits
    with Workers(job_count(jobs, n_fits)) as workers:  # which begin to import at once, as this does
        STOP.check()
        from cornac_mle.cli import _compare

        status = _compare.compare(asked, given_options(context), resume, config, workers)
    raise typer.Exit(status)


@app.command()
def sample(
    context: typer.Context,
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .csv, .tsv, .parquet or .npz; without a suffix a folder of "
            "Parquet partitions, which goes on where it was cut short."
        ),
    ],
    model: Annotated[str, typer.Option(help="One model; `compare --help` lists them all.")] = "vae",
    n: Annotated[int, typer.Option("--n", help="Users to draw.")] = 1000,
    dataset: DatasetOption = "complete-journey",
    data: DataOption = None,
    rating_threshold: ThresholdOption = None,
    seed: SeedOption = 123,
    jobs: Annotated[int, typer.Option(help="Threads that draw; the users are the same.")] = 1,
    force: Annotated[bool, typer.Option("--force", help="Replace a file without a word.")] = False,
) -> None:
    """Fit one model on all users of a data set and write users that it makes up."""
    _import_joblib()
    from cornac_mle.cli import _sample

    status = _sample.sample(
        out,
        model,
        n,
        dataset,
        data,
        rating_threshold,
        seed,
        jobs=jobs,
        force=force,
        given=given_options(context),
    )
    raise typer.Exit(status)


@app.command()
def audit(
    real: Annotated[Path, typer.Option(help="File of real users whom the generator has not seen.")],
    synthetic: Annotated[
        list[Path], typer.Option(help="File of synthetic users; may be given several times.")
    ],
    train: Annotated[
        Path | None,
        typer.Option(
            help="File of the users that the generator learnt from; else copies are not asked."
        ),
    ] = None,
    names: Annotated[Path | None, typer.Option(help="File with names of the items.")] = None,
    user_column: ColumnOption = None,
    item_column: ColumnOption = None,
    rating_column: ColumnOption = None,
    time_column: ColumnOption = None,
    wide: Annotated[
        bool, typer.Option("--wide", help="A line holds all items of a user (matrix or basket).")
    ] = False,
    rating_threshold: ThresholdOption = None,
    min_items: Annotated[int, typer.Option(help="Fewest items of a user who is compared.")] = 2,
    unknown_items: Annotated[
        str, typer.Option(help="Items that no real user holds: evidence, or drop.")
    ] = "evidence",
    seed: SeedOption = 123,
    jobs: Annotated[
        int | None,
        typer.Option(
            help="Processes that share the audit of folders of Parquet partitions; the numbers are "
            "the same."
        ),
    ] = None,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a Dask scheduler whose workers do so: tcp://HOST:8786."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for run folders.")] = Path("runs"),
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Hold files of synthetic users, from whatever tool, against a file of real users.

    Files: CSV, TSV, JSON lines (also packed), Parquet (also a folder of parts), with a user and an
    item in each row.
    """
    _import_joblib()
    from cornac_mle.cli import _audit

    columns = {"user": user_column, "item": item_column}
    columns |= {"rating": rating_column, "time": time_column}
    status = _audit.audit(
        real,
        synthetic,
        train,
        names,
        columns,
        out,
        wide=wide,
        rating_threshold=rating_threshold,
        min_items=min_items,
        unknown_items=unknown_items,
        seed=seed,
        jobs=jobs,
        dask=dask,
        as_json=as_json,
        quiet=quiet,
    )
    raise typer.Exit(status)


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the page and the other faces of a run folder again, and print its table."""
    _import_joblib()
    from cornac_mle.cli import _audit

    raise typer.Exit(_audit.rebuild(run, as_json=as_json, quiet=quiet))


@app.command()
def datasets() -> None:
    """List data sets by name, with sizes, licences and whether they are on this machine."""
    from cornac_mle.datasets import DATASETS
    from cornac_mle.report.table import dataset_table, output_console

    console = output_console()
    with console.capture() as captured:
        console.print(dataset_table(DATASETS.values()))
    raise typer.Exit(0 if write(captured.get()) else NOT_PRINTED)


def _log_in_one_line() -> None:
    logging.basicConfig(handlers=[OneLine()], level=logging.WARNING)


def _import_joblib() -> None:
    """Import joblib whole: cut short, it would leave a semaphore behind, and say so."""
    with STOP.deferred():
        import_module("joblib")
    STOP.check()
