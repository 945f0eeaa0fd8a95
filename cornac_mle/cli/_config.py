"""Configuration files of `cornac-mle compare`: YAML, within limits, each key checked.

Imported where one is named: it needs PyYAML and pydantic, the extra `report`.
"""

from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cornac_mle.checks import refusal, short
from cornac_mle.cli._asked import MOST_FITS, MOST_SEED
from cornac_mle.cli._calls import Call, call_of, calls, near
from cornac_mle.files.paths import existing_file
from cornac_mle.files.refusals import spelled_path

MOST_BYTES, MOST_DEPTH, MOST_SCALAR = 2**18, 10, 20_000
"""Size of a file, levels of nesting, characters of a value: no honest configuration comes near."""


class Named(BaseModel):
    """A model or metric with its parameters."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


Entries = Annotated[
    list[str | Named] | None,
    Field(
        min_length=1,
        description="be a list of names, such as PMF(k=50), or of mappings with name and "
        "parameters",
    ),
]
Text = Annotated[str | None, Field(min_length=1)]


class Config(BaseModel):
    """What a configuration may hold; a description completes "must" where a value is refused."""

    model_config = ConfigDict(extra="forbid", strict=True)

    dataset: Text = Field(None, description="be the name of a data set")
    data: Text = Field(None, description="be the path of a file")
    rating_threshold: float | None = Field(
        None, allow_inf_nan=False, description="be a finite number"
    )
    models: Entries = None
    metrics: Entries = None
    seed: int | None = Field(
        None, ge=0, le=MOST_SEED, description=f"be an integer from 0 to {MOST_SEED}"
    )
    fits: int | None = Field(
        None, ge=1, le=MOST_FITS, description=f"be an integer from 1 to {MOST_FITS:,}"
    )
    samples: int | None = Field(
        None, ge=1, le=MOST_FITS, description=f"be an integer from 1 to {MOST_FITS:,}"
    )
    out: Text = Field(None, description="be the path of a folder")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.data is not None and self.dataset is not None:
            msg = "two sources"
            raise ValueError(msg)
        return self


def read_config(path: Path) -> dict[str, Any]:
    """Read a configuration.

    Paths in it are relative to its folder.

    Parameters
    ----------
    path : Path
        YAML file.

    Returns
    -------
    dict
        What it sets, in the forms of `Asked`; keys that are absent, or null, are left out.

    Raises
    ------
    ValueError, OSError
        If there is no such file, it is no YAML, or a key or value is none of a configuration.
    """
    place = spelled_path(path)
    content = _loaded(_text(existing_file(path), place), place)
    if not isinstance(content, dict):
        rule, got = "hold keys with values", "nothing" if content is None else repr(content)
        advice = "Write for example `seed: 123`."
        raise ValueError(refusal(place, rule, got, advice))  # noqa: TRY004  # the content is wrong
    try:
        config = Config.model_validate(content)
    except ValidationError as error:
        raise ValueError(_told(error, content, place)) from error
    found = {name: value for name, value in config if value is not None}
    for name in {"models", "metrics"} & set(found):
        entries = [_calls(name, entry) for entry in found[name]]
        found[name] = ",".join(map(str, chain(*entries)))
    for name in {"data", "out"} & set(found):
        found[name] = path.absolute().parent / Path(found[name]).expanduser()
    return found


def _text(path: Path, place: str) -> str:
    """Read a file that is not too large as text."""
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(refusal(place, f"have at most {MOST_BYTES:,} bytes", "more"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        got = f"the byte 0x{content[error.start]:02x} at {error.start:,}"
        raise ValueError(refusal(place, "be UTF-8", got)) from error


def _loaded(text: str, place: str) -> object:
    """Load YAML that is neither deep nor a multiple of itself, and says no types of its own."""
    try:
        _check_limits(text)
        _check_keys(yaml.compose(text, yaml.SafeLoader))
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1} of {place}" if mark else place
        got = " ".join(str(part) for part in (error.context, error.problem) if part)
        raise ValueError(refusal("config", "be YAML", short(got), context=where)) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise ValueError(refusal("config", "be YAML", short(error), context=place)) from error


def _check_limits(text: str) -> None:
    """Refuse aliases, which let a few lines stand for billions, tags, and what is deep or long."""
    depth = 0
    for event in yaml.parse(text, yaml.SafeLoader):
        mark, problem = event.start_mark, ""
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if isinstance(event, yaml.AliasEvent):
            problem = "an alias, which has no place here: write the value again"
        elif getattr(event, "tag", None) is not None:  # PyYAML trips over some
            problem = f"the tag {event.tag!r}, which has no place here"
        elif depth > MOST_DEPTH:
            problem = f"more than {MOST_DEPTH} levels"
        elif isinstance(event, yaml.ScalarEvent) and len(event.value) > MOST_SCALAR:
            problem = f"a value of more than {MOST_SCALAR:,} characters"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=mark)


def _check_keys(node: yaml.Node | None) -> None:
    """Refuse a key that is there twice, of which PyYAML would take the last."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    problem = f"the key {key.value!r} twice"
                    raise yaml.MarkedYAMLError(problem=problem, problem_mark=key.start_mark)
                seen.add(key.value)
            _check_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check_keys(value)


def _told(error: ValidationError, content: dict[Any, Any], place: str) -> str:
    """Say in one line what is wrong: the first key that is refused."""
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return refusal("dataset", "be left out beside `data`", "both", context=place)
    name, *rest = first["loc"]
    known = Config.model_fields
    if name not in known:
        rule = f"have keys of {', '.join(known)}"
        return refusal("config", rule, repr(name), near(str(name), known), context=place)
    key, got = str(name), content[name]
    if rest and isinstance(rest[0], int):  # an entry of a list; what is wrong in it, it shows
        key, got = f"{key}[{rest[0]}]", got[rest[0]]
    return refusal(key, str(known[str(name)].description), repr(got), context=place)


def _calls(option: str, entry: str | Named) -> list[Call]:
    if isinstance(entry, str):
        return calls(option, entry)
    return [call_of(option, entry.name, entry.parameters)]
