"""Plain arrays in .npz files, without pickles: reading such a file runs no code of its maker's."""

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cornac_mle.files._limits import MIB, unpacked_limit, unpacked_too_large
from cornac_mle.files.paths import atomic_path, existing_file
from cornac_mle.files.records import first_line
from cornac_mle.files.refusals import ContentError, naming_file

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
UNPACKED_LEAST = 256 * MIB
"""Bytes that an .npz file may always hold."""


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
        If it is damaged, is no .npz file, lacks an array, or unpacks to far more than its size.
    """
    path = existing_file(path)
    with naming_file(path):
        return _loaded(path, names)


def _loaded(path: Path, names: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [archive.getinfo(f"{name}.npy") for name in names]
            if sum(entry.file_size for entry in entries) > unpacked_limit(size, UNPACKED_LEAST):
                raise unpacked_too_large(size, UNPACKED_LEAST)
            return {
                name: _array(archive, entry) for name, entry in zip(names, entries, strict=True)
            }
    except ContentError:
        raise
    except (
        *(KeyError, TypeError, OverflowError, SyntaxError),  # no such array, or none at all
        *(OSError, EOFError, ValueError, NotImplementedError, RuntimeError, MemoryError),
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError),
    ) as error:
        rule = f"be an .npz file with the plain arrays {', '.join(names)}"
        got = f"{type(error).__name__}: {first_line(error)}"
        raise ContentError(rule=rule, got=got, advice="Write it again.") from error


def _array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> npt.NDArray[Any]:
    """Read one array, if its header asks for as many values as are there.

    Raises
    ------
    ValueError
        If it does not: numpy would make room for them first.
    """
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read_header = HEADERS.get(version)
        if read_header is None:
            msg = f"unknown version {version} of the array format"
            raise ValueError(msg)
        shape, _, kind = read_header(file)
        there = entry.file_size - file.tell()
        is_whole = kind.itemsize and math.prod(shape) * kind.itemsize == there
        if not kind.hasobject and not is_whole:
            msg = f"a header that asks for {shape} values of {kind}, which are not there"
            raise ValueError(msg)
    with archive.open(entry) as file:
        array: npt.NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
        return array
