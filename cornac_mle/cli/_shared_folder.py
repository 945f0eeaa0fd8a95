"""What the processes of one run hand each other: objects in a folder, whole or not at all."""

import pickle
from pathlib import Path
from typing import Any


def write(folder: Path, name: str, content: object) -> None:
    """Write an object for other processes of this run, whole or not at all."""
    unfinished = folder / f".{name}"
    with unfinished.open("wb") as file:
        pickle.dump(content, file, protocol=pickle.HIGHEST_PROTOCOL)
    unfinished.rename(folder / name)


def read(folder: Path, name: str) -> Any:
    """Read what another process of this run wrote; nobody else could write there."""
    with (folder / name).open("rb") as file:
        return pickle.load(file)  # of this very run
