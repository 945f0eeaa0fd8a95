"""The configuration of a run, written in full into its folder."""

from collections.abc import Mapping, Sequence

from cornac_mle.cli._asked import Asked
from cornac_mle.cli._calls import calls

CONFIG = "config.yaml"
"""Name of the file in a run folder."""
HEADER = """\
# All settings of this run, defaults included. To repeat it:
#     cornac-mle compare --config config.yaml
"""


def config_text(asked: Asked, rating_threshold: float | None) -> str:
    """Write what a run was asked for as YAML, with paths that hold from everywhere.

    Parameters
    ----------
    asked : Asked
        What was asked for.
    rating_threshold : float or None
        Like threshold that was used: the data set's own, where none was asked for.
    """
    source = (
        {"dataset": asked.dataset} if asked.data is None else {"data": str(asked.data.absolute())}
    )
    settings = {
        **source,
        "rating_threshold": rating_threshold,
        "models": [str(call) for call in calls("models", asked.models)],
        "metrics": [str(call) for call in calls("metrics", asked.metrics)],
        "seed": asked.seed,
        "fits": asked.fits,
        "samples": asked.samples,
        "out": str(asked.out.absolute()),
    }
    return HEADER + yaml_text(settings)


def yaml_text(settings: Mapping[str, object]) -> str:
    """Write keys with values, numbers, text or lists of text, as YAML.

    By hand, so that every run folder has its configuration, with PyYAML or without it.

    >>> print(yaml_text({"seed": 1, "models": ["bpr", "PMF(k=50)"], "data": None}), end="")
    seed: 1
    models:
    - "bpr"
    - "PMF(k=50)"
    data: null
    """
    lines = []
    for name, value in settings.items():
        if isinstance(value, Sequence) and not isinstance(value, str):
            lines += [f"{name}:", *(f"- {_scalar(one)}" for one in value)]
        else:
            lines.append(f"{name}: {_scalar(value)}")
    return "".join(f"{line}\n" for line in lines)


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return f'"{"".join(map(_sign, value))}"'
    text = repr(value)
    return text if "." in text else text.replace("e", ".0e")  # 1e+16 is text to PyYAML


def _sign(sign: str) -> str:
    """Spell a character of text in quotes; what has no place in YAML, or in UTF-8, by its number.

    A no-break space and its like are spelt by number, too, so that they can be told.
    """
    if sign in '"\\':
        return f"\\{sign}"
    return sign if sign.isprintable() else f"\\U{ord(sign):08x}"
