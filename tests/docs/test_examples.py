"""Each example runs as it stands, in seconds, and prints a table.

Most of the time would be Cornac's, reading all households: they are given every third, and one
example and the slow test are given all.
"""

import pytest

from forked_python import run_program
from paths import REPOSITORY

EXAMPLES = sorted((REPOSITORY / "examples").glob("*.py"))
MOST_SECONDS = 300
"""Of a busy machine; with nothing else to do they take 4 to 20."""


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(example, tmp_path):
    prints_a_table(example, tmp_path, every=1 if example.stem == "held_out_users" else 3)


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs_on_all_households(example, tmp_path):
    prints_a_table(example, tmp_path, every=1)


def prints_a_table(example, folder, every):
    source = example.read_text(encoding="utf-8")
    run = run_program(source, str(example), folder, MOST_SECONDS, every)
    assert run.status == 0, run.errors
    words = "Less believable" if example.stem == "audit_files" else "UnrealisticUsers@0.05"
    assert words in run.output


def test_each_evaluation_method_has_one():
    from cornac_mle import eval_methods

    text = "".join(path.read_text(encoding="utf-8") for path in EXAMPLES)
    assert [name for name in eval_methods.__all__ if f"{name}(" not in text] == []


def test_the_list_names_each():
    listed = (REPOSITORY / "examples" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"({path.name})" not in listed] == []
