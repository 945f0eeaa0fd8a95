"""`cornac-mle audit`: two files of another tool's making and one command; `cornac-mle report`."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from command_line import invoke
from cornac_mle.files.partitions import Manifest, missing_partitions, write_users
from cornac_mle.profiles import Profiles
from cornac_mle.report.report import Report
from worlds import taste_world

WORLD = taste_world(500, n_items=40, mean_size=8, seed=3).to_frame()[["user", "item"]]
USERS = sorted(WORLD["user"].unique())


@pytest.fixture
def files(tmp_path):
    """Files as other tools write them: odd headers, zeros in front, repeated rows, new items."""
    ids = {item: f"{number:04d}" for number, item in enumerate(sorted(WORLD["item"].unique()))}
    table = WORLD.assign(item=WORLD["item"].map(ids))
    table = table.rename(columns={"user": "customer", "item": "product"})
    real = table[table["customer"].isin(USERS[:300])]
    fake = table[table["customer"].isin(USERS[300:])]
    real.to_csv(tmp_path / "real.csv", sep=";", index=False)
    odd = fake.head(30).assign(product="9999")
    pd.concat([fake, fake.head(12), odd.drop_duplicates()]).to_csv(
        tmp_path / "fake.csv.gz", sep=";", index=False
    )
    shuffled = fake.assign(product=np.random.default_rng(1).permutation(fake["product"]))
    shuffled.drop_duplicates().to_csv(tmp_path / "shuffled.tsv", sep="\t", index=False)
    names = pd.DataFrame({"product": ids.values(), "title": [f"Name of {i}" for i in ids]})
    names.to_csv(tmp_path / "items.csv", index=False)
    return tmp_path


def audited(files, *more, fakes=("fake.csv.gz",)):
    given = [part for name in fakes for part in ("--synthetic", files / name)]
    out = ["--out", files / "runs"]
    return invoke("audit", "--real", files / "real.csv", *given, *out, *more)


def test_one_command_tells_which_users_to_look_at(files):
    status, output = audited(files, "--names", files / "items.csv")
    assert status == 0
    said = [line for line in output.splitlines() if line.startswith(("real: read", "fake: read"))]
    assert said == [
        f"{name}: read ';'-separated; header; user = customer; item = product; "
        "no ratings: every row counts as 1"
        for name in ("real", "fake")
    ]
    plain = " ".join(output.split())
    assert plain.count("12 repeated pairs (fake)") == 1
    n_odd = WORLD[WORLD["user"].isin(USERS[300:])].head(30)["user"].nunique()
    assert f"{n_odd} preferences for 1 item that no real user holds: 9999 ({n_odd})." in plain
    assert "Look at these users of fake first" in output
    assert "Name of i" in output
    assert "not asked: no training users were given" in plain
    assert (
        max(map(len, (line.rstrip() for line in output.splitlines() if "read" not in line))) < 121
    )
    (folder,) = (files / "runs").iterdir()
    report = Report.read(folder)
    assert report.made["arguments"]["synthetic"] == {"fake": str(files / "fake.csv.gz")}
    assert set(report.made["data_sha256"]) == {"real", "fake"}
    assert len(report.notes) == 3


@pytest.mark.usefixtures("undrawn")
def test_several_files_are_rows_of_one_table(files):
    status, output = audited(files, fakes=("fake.csv.gz", "shuffled.tsv"))
    assert status == 0
    (folder,) = (files / "runs").iterdir()
    scores = pd.read_csv(folder / "scores.csv")
    assert set(scores["model"]) == {"fake", "shuffled"}
    flagged = scores[scores["metric"] == "UnrealisticUsers@0.05"].set_index("model")["value"]
    assert flagged["shuffled"] > flagged["fake"] + 0.2
    heading = next(line for line in output.splitlines() if line.split()[:1] == ["metric"])
    assert heading.split()[-2:] == ["fake", "shuffled"]


@pytest.mark.usefixtures("undrawn")
def test_the_summary_for_programs_stands_alone_on_standard_output(files):
    status, output = audited(files, "--json", "--quiet")
    assert status == 0
    text, line = output.rsplit("}\n", 1)
    summary = json.loads(text + "}")
    assert summary["kind"] == "audit"
    assert line.strip() == str(next((files / "runs").iterdir()))


@pytest.mark.usefixtures("undrawn")
def test_quiet_prints_the_folder_alone(files):
    status, output = audited(files, "--quiet")
    assert (status, output) == (0, f"{next((files / 'runs').iterdir())}\n")


def test_a_run_is_shown_again(files):
    _, first = audited(files, "--names", files / "items.csv")
    (folder,) = (files / "runs").iterdir()
    kept = {name: (folder / name).read_bytes() for name in ("report.md", "summary.json")}
    for name in kept:
        (folder / name).write_text((folder / name).read_text("utf-8")) if name != "report.md" else (
            folder / name
        ).unlink()
    status, again = invoke("report", folder)
    assert status == 0
    assert {name: (folder / name).read_bytes() for name in kept} == kept
    table = first[first.index("real: 150") : first.index("Left out")]
    assert table in again


@pytest.mark.usefixtures("undrawn")
def test_training_users_and_dropped_items(files):
    real = pd.read_csv(files / "real.csv", sep=";", dtype=str)
    train = real[real["customer"].isin(USERS[:120])]
    train.to_csv(files / "train.csv", index=False)
    status, output = audited(files, "--train", files / "train.csv", "--unknown-items", "drop")
    assert status == 0
    plain = " ".join(output.split())
    assert "120 train, 90 reference, 90 held-out users" in plain
    assert "120 real users who are training users, too" in plain
    assert "1 items that no real user holds, as was asked (fake)" in plain
    assert re.search(r"CopiedUsers\s+0\s+-?\.\d", output)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--synthetic", "none.csv"), "none.csv"),
        (("--unknown-items", "keep"), "`--unknown-items` must be one of 'evidence', 'drop'; got"),
        (("--min-items", "1"), "`--min-items` must be at least 2; got 1"),
        (("--user-column", "buyer"), "buyer"),
        (("--names", "real.csv"), "`names` must name an item in one way; got"),
    ],
)
def test_bad_input_is_one_line(files, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    status, output = audited(files, *arguments)
    assert status == 2
    error = output.splitlines()[-1]
    assert error.startswith("error: ")
    assert message in error
    assert not (files / "runs").exists() or not any((files / "runs").iterdir())


def test_what_is_no_run_folder(tmp_path):
    status, output = invoke("report", tmp_path)
    assert status == 2
    assert "a folder without manifest.json" in output


@pytest.fixture
def made(files):
    """Partitions of the users of fake.csv.gz, without repeated rows and odd items."""
    fake = Profiles.from_frame(WORLD[WORLD["user"].isin(USERS[300:])])
    names = {item: f"{number:04d}" for number, item in enumerate(sorted(WORLD["item"].unique()))}
    items = np.array([names[item] for item in fake.item_ids], dtype=object)
    manifest = Manifest(len(fake), 70, {})
    for number in missing_partitions(files / "made", manifest):
        rows = manifest.users_of(number)
        write_users(
            files / "made" / manifest.names[number],
            [fake.matrix[rows.start : rows.stop]],
            items,
            first_user=rows.start,
        )
    return files / "made"


@pytest.mark.usefixtures("undrawn")
def test_processes_share_the_audit_of_a_folder(files, made):
    assert audited(files, fakes=("made",))[0] == 0
    status, output = audited(files, "--jobs", 2, fakes=("made",))
    assert status == 0, output
    assert "made: read Parquet (3 parts); user = user; item = item; rating = rating" in output
    one, other = sorted((files / "runs").iterdir())
    for name in ("scores.csv", "unrealistic_preferences.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(one / name), pd.read_csv(other / name))
    assert (other / "report.html").exists()
    report = Report.read(other)
    assert any("values of single users" in note for note in report.notes)
    assert report.gallery == Report.read(one).gallery


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--jobs", 0), "`--jobs` must be at least 1; got 0"),
        (("--jobs", 1, "--dask", "tcp://a:1"), "`--jobs` must be left out beside --dask; got both"),
        (("--dask", "here"), "`--dask` must be the address of a Dask scheduler, such as tcp://"),
        (("--dask", "tcp://127.0.0.1:9"), "`--dask` must be the address of a Dask scheduler that"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_workers_that_cannot_be_are_one_line(files, made, monkeypatch, arguments, message):
    monkeypatch.setattr("cornac_mle.partial.engines.PATIENCE_SECONDS", 0.5)
    status, output = audited(files, *arguments, fakes=("made",))
    assert status == 2
    assert output.splitlines()[-1].startswith(f"error: {message}")
    assert len([line for line in output.splitlines() if line.startswith("error")]) == 1


@pytest.mark.parametrize("workers", [(), ("--jobs", 1)], ids=["alone", "shared"])
def test_a_folder_that_lacks_a_partition_is_refused(files, made, workers):
    (made / "part-000001.parquet").unlink()
    status, output = audited(files, *workers, fakes=("made",))
    assert status == 2
    assert "`folder` must hold 3 partitions, as its manifest says; got" in output.splitlines()[-1]


def test_a_table_is_not_shared(files):
    status, output = audited(files, "--jobs", 1)
    assert status == 2
    assert "must be a folder of Parquet partitions, or one file of them" in output.splitlines()[-1]
