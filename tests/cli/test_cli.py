"""The command line as a user meets it: real processes for the whole, in-process for bad input."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cornac_mle
from command_line import invoke
from cornac_mle.cli._models import DEFAULT_MODELS, KNOWN_MODELS, models_by_name
from cornac_mle.profiles import Profiles
from worlds import rated, taste_world


def test_compare_prints_the_table_and_writes_the_run(table, tmp_path):
    out = tmp_path / "runs"
    status, output = invoke(
        "compare", "--data", table, "--models", "popularity,training-users,pmf,ease", "--out", out
    )
    assert status == 0
    for heading in ("made up by", "metric ", "flagged by the judge", "CopiedUsers "):
        assert f"\n {heading}" in output
    assert all(len(line) <= 80 for line in output.splitlines() if "Written" not in line)
    run = out / "tastes-123"
    assert sorted(path.name for path in run.iterdir()) == [
        "README.md",
        "arrays.npz",
        "config.yaml",
        "manifest.json",
        "profiles",
        "report.html",
        "report.md",
        "scores.csv",
        "summary.json",
        "unrealistic_preferences.csv",
        "unrealistic_users.csv",
    ]
    scores = pd.read_csv(run / "scores.csv")
    assert set(scores.model) == {"Popularity", "TrainingUsers", "PMF", "EASEᴿ"}
    assert {"value", "low", "high", "p_value", "ceiling", "floor", "fit_seed"} <= set(scores)
    manifest = json.loads((run / "manifest.json").read_text())
    assert manifest["arguments"]["seed"] == 123
    assert manifest["versions"]["cornac"]
    assert re.fullmatch("[0-9a-f]{64}", manifest["data_sha256"])
    written = Profiles.read(run / "profiles" / "Popularity.csv.gz")
    assert len(written) == 74
    users = pd.read_csv(run / "unrealistic_users.csv")
    assert users.groupby("model").size().to_dict() == {
        "EASEᴿ": 74,
        "PMF": 74,
        "Popularity": 74,
        "TrainingUsers": 74,
    }
    assert users.p_value.between(1 / 76 - 1e-12, 1).all()  # pandas 2 reads another last digit
    assert (users.q_value >= users.p_value - 1e-12).all()
    assert "flagged by the judge" in output
    assert re.search(r"PMF .*\*", output)  # the SVD judge is of its family
    plain = " ".join(output.split())
    assert re.search(r"Differences in PlausibilityKS .* (\d of|for all) 6 pairs", plain)
    preferences = pd.read_csv(run / "unrealistic_preferences.csv")
    assert set(preferences.model) == {"EASEᴿ", "PMF", "Popularity", "TrainingUsers"}
    known = set(pd.read_csv(table).item)
    assert set(preferences.item) <= known
    first = preferences.merge(users, on=["model", "user"], suffixes=("", "_of_user"))
    np.testing.assert_allclose(first.user_p_value, first.p_value_of_user, rtol=1e-12)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.usefixtures("undrawn")
def test_same_seed_same_table(table, tmp_path):
    outputs = [
        invoke("compare", "--data", table, "--models", "popularity,pmf", "--out", tmp_path / name)
        for name in ("one", "two")
    ]
    first, second = (output.split("Written")[0] for _, output in outputs)
    assert first == second
    runs = [pd.read_csv(tmp_path / name / "tastes-123" / "scores.csv") for name in ("one", "two")]
    seconds = ["value", "low", "high", "p_value"]
    pd.testing.assert_frame_equal(runs[0][seconds], runs[1][seconds])


@pytest.mark.usefixtures("undrawn")
@pytest.mark.usefixtures("undrawn")
def test_a_second_run_does_not_overwrite_the_first(table, tmp_path):
    for _ in range(2):
        invoke("compare", "--data", table, "--models", "popularity", "--out", tmp_path / "runs")
    names = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert names == ["tastes-123", "tastes-123-2"]


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".parquet", ".npz"])
def test_sample_writes_users(table, tmp_path, suffix):
    path = tmp_path / f"users{suffix}"
    status, output = invoke(
        "sample", "--data", table, "--model", "pmf", "--n", 50, "--out", path, "--seed", 3
    )
    assert status == 0, output
    assert len(Profiles.read(path)) == 50
    assert "50 users of PMF" in output


def test_help_names_every_model():
    assert KNOWN_MODELS.split(", ") == list(models_by_name())
    assert set(DEFAULT_MODELS.split(",")) <= set(models_by_name())


def test_datasets_says_what_is_here():
    status, output = invoke("datasets")
    assert status == 0
    assert re.search(r"complete-journey +2,469 +2,242 +434,211 +>= 3 +yes", output)
    assert "movielens-1m" in output


GOOD = "user,item,rating\n" + "".join(
    f"u{n},i{n % 7},4\nu{n},i{(n + 1) % 7},5\n" for n in range(60)
)
FEW = "user,item,rating\n" + "".join(f"u{n},i{m},4\n" for n in range(5) for m in range(4))
ONE_ITEM = "user,item,rating\n" + "".join(f"u{n},i0,4\n" for n in range(60))

BAD_INPUT = {
    "wrong path": (None, [], "no-such.csv"),
    "empty file": ("", [], "bad.csv"),
    "header only": ("user,item,rating\n", [], "bad.csv"),
    "no user column": ("customer,item,rating\na,x,1\n", [], "user"),
    "missing rating": (GOOD + "u1,i6,\n", [], "rating"),
    "NaN rating": (GOOD + "u1,i6,NaN\n", [], "rating"),
    "negative rating": (GOOD + "u1,i6,-3\n", [], r"got -3\.0 for user 'u1', item 'i6'"),
    "no number": (GOOD + "u1,i6,good\n", [], "good"),
    "five users": (FEW, [], "got 5 users with at least 2 items. Use a larger data set."),
    "one item": (ONE_ITEM, [], "got 0 users with at least 2 items. Use a larger data set."),
    "unknown model": (GOOD, ["--models", "popularity,gan"], "got 'gan'"),
    "threshold above all": (GOOD, ["--rating-threshold", "9"], "or nothing is a like; got 9"),
}


@pytest.mark.parametrize("case", BAD_INPUT)
@pytest.mark.parametrize("command", ["compare", "sample"])
def test_bad_input_is_one_line_with_status_2(case, command, tmp_path):
    content, more, message = BAD_INPUT[case]
    path = tmp_path / ("no-such.csv" if content is None else "bad.csv")
    if content is not None:
        path.write_text(content, encoding="utf-8")
    arguments = ["--data", path, "--out", tmp_path / "out" / "made.csv"]
    if command == "compare":
        arguments += [*more, *([] if "--models" in more else ["--models", "popularity"])]
    elif "--models" in more:
        arguments += ["--model", "gan"]
    else:
        arguments += [*more, "--model", "popularity"]
    before = sorted(tmp_path.rglob("*"))
    status, output = invoke(command, *arguments)
    if command == "sample" and case in ("five users", "one item"):
        assert status == 0  # nobody is held out, so a few users are enough to make up some
        return
    assert status == 2, output
    assert output.startswith("error: ")
    assert len(output.strip().splitlines()) == 1
    assert re.search(message, output), output
    assert sorted(tmp_path.rglob("*")) == before


def test_a_truncated_parquet_file(tmp_path):
    path = tmp_path / "cut.parquet"
    whole = tmp_path / "whole.parquet"
    rated(taste_world(50)).to_frame().to_parquet(whole)
    path.write_bytes(whole.read_bytes()[:-100])
    status, output = invoke(
        "compare", "--data", path, "--models", "popularity", "--out", tmp_path / "runs"
    )
    assert status == 2
    assert output.startswith("error: ")
    assert "cut.parquet" in output
    assert len(output.strip().splitlines()) == 1
    assert not (tmp_path / "runs").exists()


def test_the_format_is_refused_before_the_fit(table, tmp_path):
    status, output = invoke(
        "sample", "--data", table, "--model", "popularity", "--out", tmp_path / "users.xlsx"
    )
    assert status == 2
    assert ".xlsx" in output


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import cornac_mle", ("torch", "pyarrow", "cornac", "pandas")),
        (
            # Importing a submodule sets it on the package, in the place of a function of that name.
            "import types, cornac_mle.cli; from cornac_mle import PMF, VAE, HeldOutUsers, compare; "
            "assert isinstance(compare, types.FunctionType)",
            ("torch",),
        ),
        ("import cornac_mle.datasets", ("torch", "cornac", "pandas", "scipy")),
        ("import cornac_mle.cli._app", ("torch", "cornac", "pandas", "scipy", "yaml", "jinja2")),
    ],
)
def test_imports_are_light(code, heavy):
    code += f"; import sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_installed_command_runs(tmp_path):
    command = Path(sys.executable).with_name("cornac-mle")
    environment = os.environ | {"COLUMNS": "100", "HOME": str(tmp_path)}
    done = subprocess.run(
        [str(command), "--help"], capture_output=True, text=True, env=environment, check=True
    )
    for name in ("compare", "sample", "datasets"):
        assert name in done.stdout


def test_no_public_name_is_hidden_by_a_submodule():
    submodules = {path.stem for path in Path(cornac_mle.__file__).parent.iterdir()}
    assert not submodules & set(cornac_mle.__all__)


def test_public_names_can_be_imported_and_unknown_ones_say_so():
    for name in cornac_mle.__all__:
        assert getattr(cornac_mle, name) is not None
    assert set(cornac_mle.__all__) <= set(dir(cornac_mle))
    with pytest.raises(AttributeError, match="module 'cornac_mle' has no attribute 'GAN'"):
        _ = cornac_mle.GAN
