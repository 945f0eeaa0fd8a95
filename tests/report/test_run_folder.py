"""A run folder: tables that a spreadsheet shows as text, data with ids as they are."""

import csv
import errno

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from cornac_mle.files import interactions, npz, paths
from cornac_mle.files.interactions import read_table
from cornac_mle.profiles import Profiles
from cornac_mle.report import _records, run_folder
from cornac_mle.report.measurement import Measurement, MetricNote, Score
from cornac_mle.report.partial_run import PartialRun
from cornac_mle.report.report import Report
from cornac_mle.report.run_folder import protected, unprotected, write_run

ITEMS = ["=1+1", "+a", "-a", "@SUM(A1)", "\ttab", "\rreturn", "\nline", "'quote", "''two"]
ITEMS += ["-5", "+1e3", "plain", "carriage\rreturn", 'a "b", c', "-inf", "=HYPERLINK(1)"]


def test_cells_that_a_spreadsheet_would_run_are_text():
    frame = pd.DataFrame({"item": ITEMS, "value": np.linspace(-1, 1, len(ITEMS))})
    cells = protected(frame)["item"].tolist()
    runs = ("=", "+", "-", "@", "\t", "\r", "\n")
    assert [cell for cell in cells if cell.startswith(runs)] == ["-5", "+1e3"]
    assert [unprotected(cell) for cell in cells] == ITEMS
    assert protected(frame)["value"].equals(frame["value"])


@pytest.fixture
def report():
    matrix = sp.csr_array(np.eye(len(ITEMS), dtype=np.float32))
    users = Profiles(matrix, pd.Index(ITEMS[::-1], dtype=object), pd.Index(ITEMS, dtype=object))
    per_user = np.linspace(0.01, 1, len(ITEMS))
    measured = Measurement(
        0.5, low=0.1, n_real=3, per_user=per_user, user_ids=users.user_ids, on_splits=per_user[:2]
    )
    note = MetricNote("0", "users that are flagged", "ease", 0.05, "implausible")
    entries = [
        Score("=data", "=PMF", "k=2", "UnrealisticUsers", "held-out", 3, 0, measured),
        Score("=data", "+PMF", "k=2", "UnrealisticUsers", "held-out", None, 0, measured),
    ]
    return Report(
        "=data",
        entries=entries,
        synthetic={"=PMF": users, "+PMF": users},
        metrics={"UnrealisticUsers": note},
        judge_families={"=PMF": "svd", "+PMF": None},
        cautions={"UnrealisticUsers": "no power"},
    )


@pytest.fixture
def preferences():
    return pd.DataFrame({"model": "=PMF", "user": ITEMS, "item": ITEMS, "rank": 1, "why": ITEMS})


def rows(path):
    with path.open(encoding="utf-8", newline="") as handle:
        return list(csv.DictReader(handle))


def test_tables_hold_text_and_profiles_ids_as_they_are(tmp_path, report, preferences):
    report.preferences = preferences
    folder = write_run(report, tmp_path / "run")
    table = rows(folder / "unrealistic_preferences.csv")
    assert [unprotected(row["item"]) for row in table] == ITEMS
    assert {row["model"] for row in table} == {"'=PMF"}
    users = rows(folder / "unrealistic_users.csv")
    assert [unprotected(row["user"]) for row in users] == ITEMS[::-1] * 2
    assert [row["dataset"] for row in rows(folder / "scores.csv")] == ["'=data"] * 2
    assert sorted(path.name for path in (folder / "profiles").iterdir()) == [
        "_PMF.csv.gz",
        "_PMF_2.csv.gz",
    ]
    for path in (folder / "profiles").iterdir():
        back = Profiles.read(path)
        assert back.item_ids.tolist() == ITEMS
        assert back.user_ids.tolist() == ITEMS[::-1]
        assert sorted(read_table(path)["item"]) == sorted(ITEMS)


def test_a_record_gives_back_the_report(tmp_path, report, preferences):
    with PartialRun.begin(tmp_path / "run", {"seed": 1}) as run:
        vars(run.report).update(vars(report))
        run.fit_done()
        run.keep_preferences("=PMF", preferences)
        run.fit_done()  # nothing is new
        assert len(list((run.folder / "finished").iterdir())) == 3
    with PartialRun.resume(run.folder) as back:
        assert back.settings == {"seed": 1}
        pd.testing.assert_frame_equal(back.report.scores, report.scores)
        pd.testing.assert_frame_equal(back.report.per_user, report.per_user)
        pd.testing.assert_frame_equal(back.preferences["=PMF"], preferences, check_dtype=False)
        assert back.report.metrics == report.metrics
        assert back.report.judge_families == report.judge_families
        assert back.report.cautions == report.cautions
        for entry, other in zip(back.report.entries, report.entries, strict=True):
            np.testing.assert_array_equal(entry.measurement.on_splits, other.measurement.on_splits)
        for model, users in report.synthetic.items():
            kept = back.report.synthetic[model]
            assert (kept.matrix != users.matrix).nnz == 0
            assert kept.item_ids.tolist() == users.item_ids.tolist()
        assert back.open_seeds("=PMF", True, [3, 4]) == [4]
        assert back.open_seeds("+PMF", False, [3, 4]) == []
        assert back.open_seeds("VAE", False, [3, 4]) == [3]


def test_a_run_without_finished_fits_leaves_nothing(tmp_path):
    with PartialRun.begin(tmp_path / "runs" / "run", {}) as run:
        assert run.folder.is_dir()
    assert list((tmp_path / "runs").iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="`out` must be a folder; got"):
        PartialRun.begin(tmp_path / "file" / "run", {})


def test_a_run_folder_is_whole_or_absent_whichever_of_its_writes_fails(
    tmp_path, report, preferences, monkeypatch
):
    """Tables, arrays, profiles, manifest, faces, other files; the records stay for a next try."""
    atomic_path, out = paths.atomic_path, tmp_path / "runs"
    with PartialRun.begin(out / "run", {"seed": 1}) as run:
        vars(run.report).update(vars(report))
        run.fit_done()
        run.report.preferences = preferences
        settings = {"is_whole": True, "extra_files": {"config.yaml": "seed: 1\n"}}
        for number in range(100):
            calls = []

            def full(path, calls=calls, number=number):
                calls.append(path)
                if len(calls) > number:
                    raise OSError(errno.ENOSPC, "No space left on device", str(path))
                return atomic_path(path)

            for module in (interactions, npz, _records, run_folder):
                monkeypatch.setattr(module, "atomic_path", full)
            try:
                written = run.finish(out / "run", **settings)
            except OSError:
                assert list(out.iterdir()) == [run.folder]
                assert run.is_left
                continue
            break
        assert number == len(calls) == 12
        assert len(list(written.iterdir())) == 11
        assert not run.is_left
