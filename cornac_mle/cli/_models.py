"""Models by the name that the command line knows: ours, and Cornac's behind them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from cornac_mle.cli._calls import Call, calls, made, near, plain, spelled_parameters

# Spelt out, because `--help` must not import Cornac and the models.
KNOWN_MODELS = (
    "popularity, training-users, mixture, lda, pmf, "
    "vae, vae-gaussian, vae-prior, vae-posterior, vae-tuned, vae-filtered, ease"
)
DEFAULT_MODELS = "popularity,mixture,lda,pmf,vae-prior,vae,training-users,ease"
CORNAC = ("cornac.", "cornac-")
"""Before the name of a Cornac model that one of ours has, too."""


@dataclass(frozen=True)
class Known:
    """A class of models with settings of its own.

    Attributes
    ----------
    kind : type
        Class of the model.
    settings : dict
        Arguments of the constructor that differ from its defaults.
    inner : callable, optional
        Function of the random seed that makes the model which a remedy takes.
    prefix : str
        What stands before the name in a table.
    """

    kind: type[Any]
    settings: Mapping[str, Any] = field(default_factory=dict)
    inner: Callable[[int], Any] | None = None
    prefix: str = ""

    @property
    def has_whole_users(self) -> bool:
        """Whether users can be drawn of it at all, rather than what comes next in a sequence."""
        from cornac.models import NextBasketRecommender, NextItemRecommender

        return not issubclass(self.kind, NextBasketRecommender | NextItemRecommender)

    def make(self, call: Call, seed: int) -> Any:
        """Make a model; its name shows the parameters that the call has."""
        import inspect

        defaults = {
            name: parameter.default
            for name, parameter in inspect.signature(self.kind).parameters.items()
        }
        always: dict[str, Any] = {"seed": seed, "verbose": False}
        settings = {name: value for name, value in always.items() if name in defaults}
        settings |= self.settings
        name = f"{self.prefix}{settings.get('name') or defaults.get('name')}"
        shown = {key: value for key, value in call.parameters.items() if key != "name"}
        settings["name"] = f"{name}{spelled_parameters(shown)}"
        first = () if self.inner is None else (self.inner(seed),)
        return made(call, self.kind, settings, *first)


def models_by_name() -> dict[str, Known]:
    """Models of this package by name; one line makes a further one known."""
    from cornac_mle.models import LDA, PMF, VAE, Mixture, Popularity, TrainingUsers
    from cornac_mle.models.ease import ScaledEASE
    from cornac_mle.remedies import Filtered, MMDTuning

    return {
        "popularity": Known(Popularity),
        "training-users": Known(TrainingUsers),
        "mixture": Known(Mixture, {"k": 10}),
        "lda": Known(LDA, {"k": 20}),
        "pmf": Known(PMF, {"k": 20}),
        "vae": Known(VAE, {"latent": "mixture", "name": "VAE"}),
        "vae-gaussian": Known(VAE, {"latent": "gaussian", "name": "VAE gaussian"}),
        "vae-prior": Known(VAE, {"latent": "prior", "name": "VAE prior"}),
        "vae-posterior": Known(VAE, {"latent": "posterior", "name": "VAE posterior"}),
        "vae-tuned": Known(
            MMDTuning,
            {"name": "VAE tuned"},
            lambda seed: VAE(prior="normal", latent="prior", seed=seed),
        ),
        "vae-filtered": Known(Filtered, {"name": "VAE filtered"}, lambda seed: VAE(seed=seed)),
        "ease": Known(ScaledEASE),
    }


def cornac_models() -> dict[str, Known]:
    """Cornac's models by the name of their class in lower case."""
    from cornac import models
    from cornac.models import Recommender

    kinds = [kind for kind in vars(models).values() if isinstance(kind, type)]
    ours = set(models_by_name())
    return {
        name: Known(kind, prefix="Cornac " if name in ours else "")
        for kind in kinds
        if issubclass(kind, Recommender) and kind.__module__ != Recommender.__module__
        for name in [kind.__name__.lower()]
    }


def models_of(text: str, seed: int) -> list[Any]:
    """Make the models of a list, see `calls`.

    Raises
    ------
    ValueError, TypeError, NotImplementedError, ImportError
        As `model_of` does.
    """
    return [made_model(call, seed) for call in calls("models", text)]


def model_of(text: str, seed: int) -> Any:
    """Make a model by its name, with parameters in parentheses where it is given some.

    Raises
    ------
    ValueError, TypeError
        If there is no such model, or it has no such parameter.
    NotImplementedError
        If it cannot make up users.
    ImportError
        If it is ours and needs a library that is not installed.
    """
    from cornac_mle.checks import refusal

    found = calls("model", text)
    if len(found) > 1:
        raise ValueError(refusal("model", "be one", f"{len(found)}", "Use `compare` for several."))
    return made_model(found[0], seed)


def made_model(call: Call, seed: int) -> Any:
    """Make the model that a call names."""
    from cornac_mle.adapters import check_samplable

    name, known = _found(call.name)
    if name.startswith("vae") and known.prefix == "" and find_spec("torch") is None:
        msg = f"The model {name} needs PyTorch. Install it: pip install cornac-mle[vae]"
        raise ImportError(msg)
    model = known.make(call, seed)
    check_samplable(model)
    return model


def _found(name: str) -> tuple[str, Known]:
    """Look a model up: ours first, by their names or their classes', then Cornac's."""
    from cornac_mle.checks import refusal

    own, cornac = models_by_name(), cornac_models()
    prefix = next((sign for sign in CORNAC if name.lower().startswith(sign)), "")
    if not prefix:
        for key, known in own.items():
            if plain(name) in (plain(key), plain(known.kind.__name__)):
                return key, known
    for key, known in cornac.items():
        if plain(name[len(prefix) :]) == plain(key):
            return f"cornac-{key}", known
    allowed = ", ".join(repr(key) for key in own)
    rule = f"be one of {allowed}, or a model of Cornac's, such as 'bpr'"
    theirs = [key for key, known in cornac.items() if known.has_whole_users]
    names = [f"{CORNAC[-1]}{key}" for key in theirs] if prefix else [*own, *theirs]
    raise ValueError(refusal("model", rule, repr(name), near(name, names)))
