"""A model in one line: the constructor call that makes it."""

import inspect
from numbers import Number

from cornac.models import Recommender

SIMPLE = (Number, str, tuple, list, type(None))
"""What is spelt out; Cornac's models take arrays and tables too."""


def spelled(model: Recommender) -> str:
    """Spell a model's constructor call: arguments that differ from the defaults, and the seed.

    Examples
    --------
    >>> from cornac.models import EASE
    >>> spelled(EASE(lamb=100, seed=1))
    'EASE(lamb=100, seed=1)'
    """
    arguments = []
    for name, parameter in inspect.signature(type(model)).parameters.items():
        value, default = vars(model).get(name, parameter.default), parameter.default
        if name == "name" and default is None:  # a remedy's, from that of its model
            default = f"{type(model).__name__}({model.model.name})"
        if isinstance(value, Recommender):
            prefix = "" if default is inspect.Parameter.empty else f"{name}="
            arguments.append(prefix + spelled(value))
        elif isinstance(value, SIMPLE):
            differs = value != default or (name == "seed" and value is not None)
            arguments += [f"{name}={value!r}"] if differs else []
    return f"{type(model).__name__}({', '.join(arguments)})"
