"""Plain arrays in .npz files, without pickles: reading such a file runs no code of its maker's."""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cornac_mle.files.paths import atomic_path, existing_file
from cornac_mle.files.records import first_line
from cornac_mle.files.refusals import ContentError, naming_file


def write_arrays(path: str | Path, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write plain arrays (no objects, no pickles) to a compressed .npz; same arrays, same bytes."""
    with (
        atomic_path(path) as temporary,
        zipfile.ZipFile(temporary, "w") as archive,
    ):
        for name, array in arrays.items():
            content = io.BytesIO()
            np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system = 3  # else the bytes would say on which system they were made
            archive.writestr(entry, content.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=6)


def read_arrays(path: str | Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """Read the arrays `names` of an .npz file; pickles are refused.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is damaged, is no .npz file, or lacks an array.
    """
    path = existing_file(path)
    with naming_file(path):
        return _loaded(path, names)


def _loaded(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (
        *(AttributeError, IndexError, KeyError, TypeError),  # a single array, or not all arrays
        *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError),
        *(zipfile.BadZipFile, zlib.error),
    ) as error:
        rule = f"be an .npz file with the plain arrays {', '.join(names)}"
        got = f"{type(error).__name__}: {first_line(error)}"
        raise ContentError(rule=rule, got=got, advice="Write it again.") from error
