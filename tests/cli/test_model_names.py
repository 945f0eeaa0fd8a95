"""`--models` and `--metrics`: any model of ours and Cornac's by name, parameters as literals."""

import json
import sys
from keyword import iskeyword

import pandas as pd
import pytest
from cornac import models as theirs
from cornac.models import NextBasketRecommender, NextItemRecommender, Recommender
from hypothesis import given
from hypothesis import strategies as st

from command_line import invoke, is_one_error
from cornac_mle.cli._calls import Call, call_of, calls
from cornac_mle.cli._metrics import DEFAULT_METRICS, metrics_by_name, metrics_of
from cornac_mle.cli._models import cornac_models, model_of, models_of
from cornac_mle.comparison import all_metrics, default_metrics
from cornac_mle.models import PMF, VAE
from cornac_mle.models.ease import ScaledEASE
from cornac_mle.profiles import Profiles

# Lists


def test_commas_within_parentheses_and_quotes_are_no_ends():
    text = "bpr, PMF(k=50,variant='a,b'), VAE(autoencoder_structure=(20, 10), name=\"x), (y\"),mf"
    assert calls("models", text) == [
        Call("bpr"),
        Call("PMF", {"k": 50, "variant": "a,b"}),
        Call("VAE", {"autoencoder_structure": (20, 10), "name": "x), (y"}),
        Call("mf"),
    ]


LITERALS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)  # fmt: skip
NAMES = st.from_regex("[a-z_][a-z0-9_]{0,6}", fullmatch=True).filter(
    lambda name: not iskeyword(name)
)
CALLS = st.builds(Call, NAMES, st.dictionaries(NAMES, LITERALS, max_size=3))


@given(st.lists(CALLS, min_size=1, max_size=3))
def test_what_is_spelled_is_read_again(written):
    assert calls("models", ",".join(map(str, written))) == written


@given(st.text(alphabet="PMF(k=50),'\"\\[]{}: -x.\0\n#*", max_size=40))
def test_any_list_is_read_or_refused(text):
    try:
        calls("models", text)
    except ValueError as error:
        assert str(error).startswith("`models` must ")  # noqa: PT017  # either will do


ATTACKS = [
    "__import__('os').system('touch {mark}')",
    "open('{mark}', 'w')",
    "(lambda: open('{mark}', 'w'))()",
    "[open('{mark}', 'w') for _ in (1,)]",
    'f\'{{open("{mark}", "w")}}\'',
    "1 if open('{mark}', 'w') else 2",
    "().__class__.__bases__",
    "9**9**9",
    "(x := 1)",
    "...",
    "1).__class__(k=2",
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("option", ["models", "metrics"])
def test_parameters_are_never_run(attack, option, tmp_path):
    value = attack.format(mark=tmp_path / "ran")
    name = "PMF" if option == "models" else "NDCG"
    status, output = invoke("compare", "--data", "none.csv", f"--{option}", f"{name}(k={value})")
    if attack != "...":  # Ellipsis is a literal to Python
        assert is_one_error(output, rf"`{option}` must (have values|be names)"), output
    assert status == 2
    assert list(tmp_path.iterdir()) == []


LONG = ["PMF(k=" + "(" * 5000 + ")" * 5001, "PMF(k=" + "-" * 9000 + "1)", "x," * 20_000]


@pytest.mark.parametrize("text", [*LONG, "PMF(k=9e999)"])
def test_what_is_deep_or_long_is_refused(text):
    assert is_one_error(invoke("compare", "--data", "none.csv", "--models", text)[1], "error: ")


# Models


def test_ours_win_where_names_coincide():
    ours = models_of("pmf,PMF(k=50),ease", 7)
    assert [type(model) for model in ours] == [PMF, PMF, ScaledEASE]
    assert [model.name for model in ours] == ["PMF", "PMF(k=50)", "EASEᴿ"]
    assert [(model.k, model.seed) for model in ours[:2]] == [(20, 7), (50, 7)]
    for text in ("cornac-pmf", "cornac.PMF", "Cornac-Pmf"):
        assert type(model_of(text, 7)) is theirs.PMF
        assert model_of(text, 7).name == "Cornac PMF"
    named = model_of("cornac.EASE(lamb=10.5, name='mine')", 7)
    assert (type(named), named.lamb, named.name) == (theirs.EASE, 10.5, "mine")


def test_presets_keep_their_settings_beside_parameters():
    pytest.importorskip("torch")
    model = model_of("vae-prior(k=5)", 3)
    assert (type(model), model.latent, model.k, model.seed) == (VAE, "prior", 5, 3)
    assert model.name == "VAE prior(k=5)"
    tuned = model_of("VAE-tuned(n_steps=3)", 3)
    assert (tuned.n_steps, tuned.model.latent, tuned.model.seed) == (3, "prior", 3)
    assert model_of("TrainingUsers", 3).name == model_of("training_users", 3).name


def test_every_cornac_model_that_can_be_sampled_is_known():
    kinds = {
        kind
        for kind in vars(theirs).values()
        if isinstance(kind, type) and issubclass(kind, Recommender)
    }
    sequences = {
        kind for kind in kinds if issubclass(kind, NextItemRecommender | NextBasketRecommender)
    }
    made = 0
    for kind in kinds - sequences - {Recommender}:
        if kind.__name__.endswith("ANN"):  # an index of another model
            continue
        model = model_of(f"cornac-{kind.__name__.lower()}", 5)
        assert type(model) is kind
        assert vars(model).get("seed", 5) in (5, None)  # some do not keep it
        assert not vars(model).get("verbose", False)
        made += 1
    assert made >= 50
    for kind in sequences - {NextItemRecommender, NextBasketRecommender}:
        with pytest.raises(NotImplementedError, match="scores the next items of a sequence"):
            model_of(kind.__name__, 5)
    assert "recommender" not in cornac_models()


BAD_MODELS = {
    "brp": r"or a model of Cornac's, such as 'bpr'; got 'brp'\. Did you mean 'bpr'\?",
    "populrity": r"got 'populrity'\. Did you mean 'popularity'\?",
    "cornac-pfm": r"got 'cornac-pfm'\. Did you mean .*'cornac-pmf'",
    "popularity,,mf": r"got ''\.",
    "PMF(lamda_reg=1)": r"`PMF` must have parameters of k, max_iter, .*Did you mean 'lambda_reg'\?",
    "bpr(learning_rat=1)": r"got 'learning_rat'\. Did you mean 'learning_rate'\?",
    "VAE(latent=prior)": r"got 'VAE\(latent=prior\)'\. Write latent='prior'\.",
    "PMF(50)": r"`models` must have parameters by name; got 'PMF\(50\)'",
    "PMF(k=5": r"`models` must be names, with parameters in parentheses; got 'PMF\(k=5'",
    "PMF(k=5)(k=6)": "must be names, with parameters in parentheses",
    "PMF(k=5,k=6)": r"must have each parameter once; got 'k' twice for PMF\(k=5,k=6\)",
    "bpr(seed=3)": r"`bpr` must have no seed in its parentheses; .* random seeds from --seed on",
    "bpr(verbose=True)": "`bpr` must have no verbose in its parentheses",
    "hypar(out_path='x')": "`hypar` must have no out_path in its parentheses",
    "bpr(k='x')": r"`bpr\(k='x'\)` must be one that can be made; got ValueError: ",
    "pmf(k=0)": r"`k` must be at least 1; got 0\.",
    "gru4rec": "cannot be sampled: GRU4Rec scores the next items of a sequence",
    "pmf,PMF": r"`models` must have different names; got 'PMF' twice\. Pass name=",
}


@pytest.mark.parametrize("text", BAD_MODELS)
def test_a_wrong_model_costs_one_line_before_data_are_read(text):
    status, output = invoke("compare", "--data", "none.csv", "--models", text)
    assert status == 2
    assert is_one_error(output, BAD_MODELS[text]), output


@pytest.mark.usefixtures("undrawn")
def test_cornac_models_beside_ours(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    out = tmp_path / "runs"
    models = "mf,PMF(k=2),PMF(k=3),cornac-pmf(k=2),hpf,amr,gmf"
    metrics = ("--metrics", "PlausibilityKS,NDCG(k=20)")
    status, output = invoke("compare", "--data", small, "--models", models, *metrics, "--out", out)
    assert status == 3, output
    assert "AMR (it needs item_image data beside interactions, and there are none)" in output
    assert "GMF (ModuleNotFoundError" in output or "GMF (it needs the library tenso" in output
    assert "Learning" not in output  # what HPF prints
    scores = pd.read_csv(out / "small-123" / "scores.csv")
    names = ["MF", "PMF(k=2)", "PMF(k=3)", "Cornac PMF(k=2)", "HPF"]
    assert list(scores.model.unique()) == names
    assert set(scores.metric) == {"PlausibilityKS", "NDCG@20"}
    assert scores.value.notna().all()
    assert set(scores.fit_seed) == {123}
    manifest = json.loads((out / "small-123" / "manifest.json").read_text())
    assert manifest["arguments"]["models"] == models
    assert manifest["arguments"]["metrics"] == "PlausibilityKS,NDCG(k=20)"
    assert set(manifest["failed"]) == {"AMR", "GMF"}


@pytest.mark.parametrize(("model", "name"), [("mf(k=2)", "MF(k=2)"), ("ease", "EASEᴿ")])
def test_sample_takes_them_too(small, tmp_path, model, name):
    out = tmp_path / "users.csv"
    status, output = invoke("sample", "--data", small, "--model", model, "--n", 20, "--out", out)
    assert status == 0, output
    assert f"20 users of {name}" in output
    assert len(Profiles.read(out)) == 20


def test_sample_takes_one(small, tmp_path):
    out = tmp_path / "users.csv"
    status, output = invoke("sample", "--data", small, "--model", "mf,pmf", "--out", out)
    assert (status, is_one_error(output, "`model` must be one; got 2")) == (2, True)


# Metrics


def test_the_default_metrics_are_those_of_compare():
    def told(metric):
        return type(metric), metric.name, vars(metric)

    assert list(map(told, metrics_of(DEFAULT_METRICS))) == list(map(told, default_metrics()))


def test_every_metric_is_known_by_the_name_of_its_class():
    assert {type(metric).__name__ for metric in all_metrics()} <= set(metrics_by_name())
    assert {"NDCG", "Recall", "AUC", "MAE"} <= set(metrics_by_name())
    for name in metrics_by_name():
        assert type(metrics_of(name.lower())[0]).__name__ == name
    one, other = metrics_of("UnrealisticUsers(alpha=0.1, judge='svd'),ndcg(k=20)")
    assert (one.name, other.name, other.k) == ("UnrealisticUsers@0.1 (svd)", "NDCG@20", 20)


BAD_METRICS = {
    "NDGC": r"got 'NDGC'\. Did you mean 'NDCG'\?",
    "RealismMetric": "`metric` must be one of .*; got 'RealismMetric'",
    "NDCG(n=3)": r"`NDCG` must have parameters of k; got 'n'\.",
    "NDCG(k='a')": r"`k` must be an integer; got 'a'\.",
    "CopiedUsers(k=3)": r"`CopiedUsers` must have no parameters; got 'k'\.",
    "NDCG,NDCG(k=-1)": r"`metrics` must have different names; got 'NDCG@-1' twice\.",
    "UnrealisticUsers(judge='x')": r"`judge` must be one of .*; got 'x'\.",
    "": r"got ''\.",
}


@pytest.mark.parametrize("text", BAD_METRICS)
def test_a_wrong_metric_costs_one_line_before_data_are_read(text):
    status, output = invoke("compare", "--data", "none.csv", "--metrics", text)
    assert status == 2
    assert is_one_error(output, BAD_METRICS[text]), output


def test_values_of_a_configuration_are_literals():
    assert str(call_of("models", "PMF", {"k": 5, "a": [1, {"b": None}]})) == (
        "PMF(k=5, a=[1, {'b': None}])"
    )
    for value in (float("nan"), float("inf"), {"x": [float("-inf")]}, object(), {1, 2}):
        with pytest.raises(ValueError, match="`k` must be text, a finite number, true"):
            call_of("models", "PMF", {"k": value})
    with pytest.raises(ValueError, match="`models` must have names of parameters; got 'a b'"):
        call_of("models", "PMF", {"a b": 1})
