"""How much is shown of users and models: less and less, until the page is small enough."""

from dataclasses import dataclass

from cornac_mle.report._numbers import printable


@dataclass(frozen=True)
class Detail:
    """How much is shown.

    Attributes
    ----------
    worst, real : int
        Users of a model that are shown: the least plausible, and real ones.
    items : int
        Items of a user that are listed, besides those that are out of place.
    letters : int
        Length at which a name is cut; a sentence is cut at eight times that.
    galleries : int
        Models whose users and distributions are shown.
    models : int
        Models that are shown.
    """

    worst: int
    real: int
    items: int
    letters: int
    galleries: int
    models: int

    def name(self, text: object) -> str:
        """Spell a name of a data file in one line, cut where it is too long."""
        return cut(printable(text), self.letters)

    def sentence(self, text: object) -> str:
        """Spell a sentence that holds such names."""
        return cut(printable(text), 8 * self.letters)


def cut(text: str, most: int) -> str:
    """Cut a text, and show that it is.

    >>> cut("marmalade", 5)
    'marm…'
    """
    return text if len(text) <= most else f"{text[: most - 1]}…"


DETAILS = (
    Detail(worst=8, real=3, items=60, letters=200, galleries=20, models=200),
    Detail(worst=8, real=3, items=20, letters=80, galleries=20, models=200),
    Detail(worst=3, real=1, items=5, letters=60, galleries=15, models=200),
    Detail(worst=1, real=0, items=0, letters=40, galleries=10, models=100),
    Detail(worst=0, real=0, items=0, letters=40, galleries=0, models=50),
)
