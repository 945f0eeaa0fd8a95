"""Files as bytes, packed or not; what they are is seen from their first bytes, not their names."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

from cornac_mle.files._limits import unpacked_limit, unpacked_too_large
from cornac_mle.files.records import PACKED_LEAST, _damaged
from cornac_mle.files.refusals import ContentError

PACKINGS = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",  # one without members
    b"\xfd7zXZ\x00": "xz",
    b"BZh": "bz2",
}
BZ2_BLOCK = b"1AY&SY"
# What people also have, and what to do with it.
FOREIGN = {
    b"\x89HDF": "an HDF5 file",
    b"SQLite format 3": "an SQLite database",
    b"ARROW1": "a Feather file",
    b"\x28\xb5\x2f\xfd": "a zstd file",
    b"7z\xbc\xaf": "a 7z file",
    b"Rar!": "a rar file",
    b"\x93NUMPY": "a NumPy file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"%PDF": "a PDF",
}
PAGES = (b"<!doctype html", b"<html", b"<?xml")  # of a download that failed, often
SAMPLE_BYTES = 2**18
LONGEST_FIRST_LINE = 2**22


@dataclass(frozen=True)
class Source:
    """One file, and how to read what it holds.

    Parameters
    ----------
    path : Path
        Path of the file.
    packing : str
        "gzip", "zip", "xz", "bz2", or "" for none.
    member : str
        Name of the one file in a zip archive.
    """

    path: Path
    packing: str
    member: str = ""

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Lend a buffered stream of the unpacked bytes.

        Raises
        ------
        ContentError
            If a packed file is damaged, or holds far more than its size allows for.
        """
        with ExitStack() as stack:
            try:
                if not self.packing:
                    yield stack.enter_context(self.path.open("rb"))
                    return
                size = self.path.stat().st_size
                limit = unpacked_limit(size, PACKED_LEAST)
                error = unpacked_too_large(size, PACKED_LEAST)
                limited = _Limited(self._unpacked(stack), limit, error)
                yield cast("BinaryIO", io.BufferedReader(limited, 2**20))
            except (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile) as error:
                raise _damaged(error, self.packing) from error
            except OSError as error:  # gzip and bz2 say so of bytes that are none of theirs
                if error.errno is not None or not self.packing:
                    raise
                raise _damaged(error, self.packing) from error

    def _unpacked(self, stack: ExitStack) -> IO[bytes]:
        if self.packing == "zip":
            archive = stack.enter_context(zipfile.ZipFile(self.path))
            try:
                return stack.enter_context(archive.open(self.member))
            except (RuntimeError, NotImplementedError) as error:  # password, odd compression
                got = str(error).replace(str(self.path), "it")
                raise ContentError(
                    rule="be an archive that can be opened", got=got, advice="Unpack it yourself."
                ) from error
        opened: dict[str, Any] = {"gzip": gzip.open, "xz": lzma.open, "bz2": bz2.open}
        return cast("IO[bytes]", stack.enter_context(opened[self.packing](self.path, "rb")))


class _Limited(io.RawIOBase):
    """Stream that ends with an error where it gives more than it may."""

    def __init__(self, stream: IO[bytes], most: int, error: ContentError) -> None:
        self._stream, self._left, self._error = stream, most, error

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block = self._stream.read(len(buffer))
        self._left -= len(block)
        if self._left < 0:
            raise self._error
        buffer[: len(block)] = block
        return len(block)


def is_parquet(path: Path) -> bool:
    """Say whether a file begins as Parquet does, or is named so."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1" or path.name.lower().endswith(".parquet")


def find_source(path: Path) -> Source:
    """Look at the first bytes of a file.

    Raises
    ------
    ContentError
        If the file is of a kind that is not read, or an archive of several files.
    """
    with path.open("rb") as stream:
        start = stream.read(16)
    for sign, packing in PACKINGS.items():
        if start.startswith(sign) and (packing != "bz2" or start[4:10] == BZ2_BLOCK):
            member = _only_member(path) if packing == "zip" else ""
            return Source(path, packing, member)
    if start.lstrip().lower().startswith(PAGES):
        kind = "a web page"
        raise _no_table(kind)
    for sign, kind in FOREIGN.items():
        if start.startswith(sign):
            raise _no_table(kind)
    return Source(path, "")


def first_bytes(source: Source) -> tuple[bytes, bool]:
    """Return the first whole lines of a source, and whether they are all of it."""
    with source.open() as stream:
        sample = stream.read(SAMPLE_BYTES)
        sample += stream.readline(LONGEST_FIRST_LINE)
        whole = not stream.peek(1) if hasattr(stream, "peek") else False
    packed = sample.startswith((b"\xff\xfe", b"\xfe\xff"))  # UTF-16 is full of zeros
    if b"\0" in sample and not packed:
        tar = sample[257:262] == b"ustar"
        raise _no_table("a tar archive" if tar else "a file of bytes that are no text")
    return sample, whole


def _no_table(kind: str) -> ContentError:
    rule = "be text (CSV, TSV, JSON lines), Parquet, or one of these in .gz, .zip, .xz, .bz2"
    return ContentError(rule=rule, got=kind, advice="Save its table as CSV or Parquet.")


def _only_member(path: Path) -> str:
    """Return the name of the one file in a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [member.filename for member in archive.infolist() if not member.is_dir()]
    except zipfile.BadZipFile as error:
        raise _damaged(error, "zip") from error
    if "[Content_Types].xml" in names:
        kind = "an Excel workbook"
        raise _no_table(kind)
    names = [name for name in names if not name.startswith("__MACOSX/")]
    if len(names) != 1:
        listed = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        got = f"{len(names)} ({listed})" if names else "none"
        raise ContentError(rule="hold one file", got=got, advice="Unpack it and name one of them.")
    return names[0]
