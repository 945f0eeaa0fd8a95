"""What is wrong with a file, said where its path is not known and named where it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cornac_mle.checks import refusal


class ContentError(ValueError):
    """What a file holds is refused; `naming_file` says which file it is.

    Parameters
    ----------
    rule, got, advice : str
        Rule, value and advice of `refusal`.
    name : str, optional
        Name of what breaks the rule; the file itself if None.
    where : str
        Place in the file, "line 4" say.
    """

    def __init__(
        self, *, rule: str, got: object, advice: str = "", name: str | None = None, where: str = ""
    ) -> None:
        super().__init__(rule, got, advice)
        self.rule, self.got, self.advice = rule, got, advice
        self.name, self.where = name, where

    def of(self, path: str | Path) -> str:
        """Spell the refusal with the path of the file.

        >>> ContentError(rule="be UTF-8", got="0xe9", name="text", where="line 3").of("a.csv")
        '`text` must be UTF-8; got 0xe9 for line 3 of a.csv.'
        >>> ContentError(rule="hold a table", got="an empty file").of("a.csv")
        '`a.csv` must hold a table; got an empty file.'
        """
        file = spelled_path(path)
        if self.name is None:
            return refusal(file, self.rule, self.got, self.advice)
        return refusal(
            self.name, self.rule, self.got, self.advice, context=f"{self.where} of {file}"
        )


def spelled_path(path: str | Path) -> str:
    r"""Spell a path so that it is one line of text, whatever characters its name has.

    >>> spelled_path("two\nlines.csv")
    'two\\nlines.csv'
    """
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode("ascii")
        for sign in str(path)
    )


@contextmanager
def naming_file(path: str | Path) -> Iterator[None]:
    """Name the file in every ValueError about what it holds.

    Raises
    ------
    ValueError
        A `ContentError` with the path in its place; before any other message stands "PATH: ".
    """
    try:
        yield
    except ContentError as error:
        raise ValueError(error.of(path)) from error
    except ValueError as error:
        msg = f"{spelled_path(path)}: {error}"
        raise ValueError(msg) from error
