"""A run in the making: each finished fit is on the disk at once, and another run can go on with it.

::

    .cornac-mle-0123456789ab-tastes-123/     locked by its process, see `files.locks`
        finished/
            run.json                         what was asked for, and of which data
            000/, 001/, ...                  a record of each fit, see `_records`

A run that is whole becomes a run folder without ``finished/``. One that was interrupted, or of
which a model failed, becomes a run folder with it.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pandas as pd

from cornac_mle.checks import refusal
from cornac_mle.files.locks import MARK, left_behind, new_folder, take
from cornac_mle.report._records import (
    ENTRIES,
    PREFERENCES,
    Fit,
    read_frame,
    read_json,
    read_record,
    write_frame,
    write_json,
    write_record,
)
from cornac_mle.report.report import Report
from cornac_mle.report.run_folder import FINISHED, RUN, Draw, write_run


class PartialRun:
    """Finished fits of a run, on the disk and in a report.

    Made by `begin` or `resume`; a context manager, which lets go of the folder and removes it
    unless it holds what nothing else does.

    Attributes
    ----------
    folder : Path
        Hidden folder beside the place of the run folder.
    settings : dict
        What was asked for.
    report : Report
        What was measured.
    preferences : dict
        Least believable preferences of each model's users, by model.
    """

    def __init__(self, folder: Path, handle: int, settings: dict[str, Any]) -> None:
        self.folder = folder
        self.settings = settings
        self.report = Report()
        self.preferences: dict[str, pd.DataFrame] = {}
        self._handle = handle
        self._fits: list[Fit] = []
        self._n_finished = 0  # entries of finished fits
        self._n_kept = 0  # entries that are on the disk
        self._is_worth_keeping = False

    @classmethod
    def begin(cls, place: Path, settings: dict[str, Any]) -> Self:
        """Make the hidden folder of a run whose folder will be `place`.

        Raises
        ------
        OSError
            If that cannot be written.
        """
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            message = refusal("out", "be a folder", repr(str(place.parent)), "A file is there.")
            raise NotADirectoryError(message) from error
        folder, handle = new_folder(place)
        run = cls(folder, handle, settings)
        try:
            (folder / FINISHED).mkdir()
            write_json(folder / FINISHED / RUN, settings)
        except BaseException:
            run.__exit__(None, None, None)
            raise
        return run

    @classmethod
    def resume(cls, folder: Path) -> Self:
        """Go on with a run that was cut short: its hidden folder, or its run folder.

        A hidden folder is taken over. Of a run folder, which stays as it is, a copy is.

        Raises
        ------
        ValueError
            If there is nothing to go on with, or another process is writing it.
        """
        if not (folder / FINISHED / RUN).is_file():
            rule = "be a run folder that was cut short"
            got = f"no {str(folder)!r}"
            if folder.is_dir():
                is_whole = (folder / "manifest.json").is_file()
                got = f"{str(folder)!r}, {'where nothing is missing' if is_whole else 'another'}"
            raise ValueError(refusal("resume", rule, got))
        is_hidden = folder.name.startswith(MARK)
        if is_hidden:
            handle = take(folder)
            if handle is None:
                rule, got = "be a run that nobody is writing", repr(str(folder))
                raise ValueError(refusal("resume", rule, got, "Wait for the other process."))
        else:
            folder, handle = _copied(folder)
        run = cls(folder, handle, {})
        run._is_worth_keeping = is_hidden
        try:
            run._read()
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            run.__exit__(None, None, None)
            got = f"a damaged one ({type(error).__name__}: {error})"
            rule = "be a run folder that was cut short"
            raise ValueError(refusal("resume", rule, got, "Start anew.")) from error
        return run

    def _read(self) -> None:
        self.settings = read_json(self.folder / FINISHED / RUN)
        for record in self._records():
            fit = read_record(record, self.report)
            self._fits.append(fit)
            if (record / PREFERENCES).exists():
                self.preferences[fit.model] = read_frame(record / PREFERENCES)
        self._n_finished = self._n_kept = len(self.report.entries)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_worth_keeping:
            shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._handle)

    @property
    def is_left(self) -> bool:
        """Whether the hidden folder stays, with finished fits that are nowhere else."""
        return self._is_worth_keeping

    def open_seeds(self, model: str, takes_seed: bool, seeds: Sequence[int]) -> list[int]:
        """Random seeds with which a model is still to be fitted; one, where it takes none."""
        done = {fit.fit_seed for fit in self._fits if fit.model == model}
        if not takes_seed:
            return [] if done else list(seeds[:1])
        return [seed for seed in seeds if seed not in done]

    def fit_done(self) -> None:
        """Take all entries of the report for those of finished fits, and write new ones down.

        Raises
        ------
        OSError
            If they cannot be written; the next call tries again.
        """
        self._n_finished = len(self.report.entries)
        new = self.report.entries[self._n_kept :]
        for fit, group in groupby(new, key=lambda entry: Fit(entry.model, entry.fit_seed)):
            entries = list(group)
            is_first = all(one.model != fit.model for one in self._fits)
            users = self.report.synthetic.get(fit.model) if is_first else None
            place = self.folder / FINISHED / f"{len(self._fits):03d}"
            unfinished = place.with_name(f".{place.name}")
            shutil.rmtree(unfinished, ignore_errors=True)  # of a write that failed
            write_record(unfinished, fit, entries, self.report, users)
            unfinished.rename(place)
            self._fits.append(fit)
            self._n_kept += len(entries)
            self._is_worth_keeping = True

    def keep_preferences(self, model: str, table: pd.DataFrame) -> None:
        """Take the least believable preferences of a model's users, and write them down.

        Raises
        ------
        OSError
            If they cannot be written.
        """
        self.preferences[model] = table
        for number, fit in enumerate(self._fits):
            if fit.model == model:
                write_frame(table, self.folder / FINISHED / f"{number:03d}" / PREFERENCES)
                return

    def drop_unfinished(self) -> None:
        """Take entries and users of a fit that was interrupted out of the report."""
        report = self.report
        del report.entries[self._n_finished :]
        measured = {entry.model for entry in report.entries}
        for model in [model for model in report.synthetic if model not in measured]:
            del report.synthetic[model]

    def finish(
        self,
        place: Path,
        *,
        is_whole: bool,
        extra_files: Mapping[str, str] | None = None,
        draw: Draw | None = None,
    ) -> Path:
        """Write the run folder, with the records too unless the run is whole; give its path.

        Raises
        ------
        OSError
            If it cannot be written; the hidden folder stays.
        """
        records = None if is_whole else self.folder / FINISHED
        written = write_run(self.report, place, records=records, extra_files=extra_files, draw=draw)
        self._is_worth_keeping = False
        with suppress(OSError):  # else a kill while it is removed would make it look unfinished
            (self.folder / FINISHED / RUN).unlink()
        return written

    def _records(self) -> list[Path]:
        return _records(self.folder / FINISHED)


def left_runs(out: Path) -> list[tuple[Path, list[str]]]:
    """Give runs in `out` that were killed, each with the models it has finished; remove empty ones.

    Runs that another process is writing are left alone.
    """
    found = []
    with left_behind(out) as paths:
        for path in paths:
            if not path.is_dir():
                continue
            models: list[str] = []
            with suppress(ValueError, KeyError, OSError):
                if (path / FINISHED / RUN).is_file():
                    records = _records(path / FINISHED)
                    models += [str(read_json(record / ENTRIES)["model"]) for record in records]
            if models:
                found.append((path, list(dict.fromkeys(models))))
            else:
                shutil.rmtree(path, ignore_errors=True)
    return found


def _records(finished: Path) -> list[Path]:
    return sorted(path for path in finished.iterdir() if path.name.isdigit() and path.is_dir())


def _copied(folder: Path) -> tuple[Path, int]:
    """Copy the records of a run folder into a hidden folder beside it."""
    hidden, handle = new_folder(folder)
    try:
        shutil.copytree(folder / FINISHED, hidden / FINISHED)
    except BaseException:
        shutil.rmtree(hidden, ignore_errors=True)
        os.close(handle)
        raise
    return hidden, handle
