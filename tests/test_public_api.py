"""The public names and their signatures are those of `golden/public_api.txt`.

After a change that is meant: python tests/test_public_api.py --write
"""

import inspect
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parent / "golden" / "public_api.txt"
MODULES = (
    "cornac_mle",
    "cornac_mle.metrics",
    "cornac_mle.eval_methods",
    "cornac_mle.models",
    "cornac_mle.datasets",
    "cornac_mle.adapters",
    "cornac_mle.search",
)


def public_names(module):
    """Names of `__all__`; without one, those that are not private and are no modules."""
    if hasattr(module, "__all__"):
        return sorted(module.__all__)
    names = (name for name in vars(module) if not name.startswith("_"))
    return sorted(name for name in names if not isinstance(getattr(module, name), ModuleType))


def signature(function):
    """Public parameters and defaults; annotations, which vary with numpy, are left to mypy."""
    try:
        found = inspect.signature(function)
    except ValueError:
        return "(...)"
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in found.parameters.values()
        if not parameter.name.startswith("_")
    ]
    return str(found.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def is_ours(member):
    return (getattr(member, "__module__", None) or "").startswith("cornac_mle")


def members(kind):
    """Public methods and properties that the package defines, by name, as text."""
    found = {}
    for base in reversed(kind.__mro__):
        for name, member in vars(base).items() if is_ours(base) else ():
            if name.startswith("_"):
                continue
            if isinstance(member, classmethod | staticmethod):
                found[name] = type(member).__name__ + signature(getattr(kind, name))
            elif isinstance(member, property):
                found[name] = "property"
            elif inspect.isfunction(member):
                found[name] = "method" + signature(member)
    return found


def functions(module):
    """Public functions of a module, by name, as text."""
    return {
        name: described(value)
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__ == module.__name__
        and not name.startswith("_")
    }


def described(value):
    """Say what a public name is, without the members of a class."""
    if inspect.ismodule(value):
        return "module"
    if inspect.isclass(value):
        return "class" + signature(value)
    if callable(value):
        return "function" + signature(value)
    return type(value).__name__


def api():
    """Every public name, `module.name` or `module.Class.member`, and what it is.

    A member that a class inherits from another public one, unchanged, is listed there only.
    """
    found, homes = {}, {}
    named = [
        (f"{path}.{name}", getattr(import_module(path), name))
        for path in MODULES
        for name in public_names(import_module(path))
    ]
    for full, value in named:
        if inspect.isclass(value) or inspect.isfunction(value):
            homes.setdefault(value, full)
    for full, value in named:
        is_code = inspect.isclass(value) or inspect.isfunction(value)
        if is_code and homes[value] != full:
            found[full] = f"is {homes[value]}"
            continue
        found[full] = described(value)
        inside = {}
        if inspect.isclass(value) and is_ours(value):
            bases = [base for base in value.__mro__[1:] if base in homes]
            inside = members(value)
            if bases:
                inherited = members(bases[0])
                inside = {n: text for n, text in inside.items() if inherited.get(n) != text}
                found[full] += f", a {bases[0].__name__}"
        elif inspect.ismodule(value):
            inside = functions(value)
        found.update({f"{full}.{name}": text for name, text in inside.items()})
    return found


def written():
    lines = FILE.read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", maxsplit=1) for line in lines if line)


def write():
    text = "".join(f"{name}: {what}\n" for name, what in sorted(api().items()))
    FILE.write_text(text, encoding="utf-8")


def changes(before, after):
    """Tell in words what differs, one line a name."""
    told = [f"{name} is gone; it was: {before[name]}" for name in sorted(set(before) - set(after))]
    told += [f"{name} is new: {after[name]}" for name in sorted(set(after) - set(before))]
    for name in sorted(set(before) & set(after)):
        if before[name] != after[name]:
            told.append(f"{name} has changed\n    was: {before[name]}\n    is:  {after[name]}")
    return told


def test_public_names_and_signatures_are_those_written_down():
    told = changes(written(), api())
    if told:
        advice = (
            "If it is meant: python tests/test_public_api.py --write, and say so in CHANGELOG.md."
        )
        pytest.fail("\n".join([f"{len(told)} public names differ.", *told, advice]), pytrace=False)


def test_a_change_is_told_by_name():
    before = {"a.f": "function(x)", "a.g": "function(y=1)"}
    after = {"a.g": "function(y=2)", "a.h": "class()"}
    assert changes(before, after) == [
        "a.f is gone; it was: function(x)",
        "a.h is new: class()",
        "a.g has changed\n    was: function(y=1)\n    is:  function(y=2)",
    ]
    assert changes(before, before) == []


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("To write the public names and signatures anew: --write")
    write()
