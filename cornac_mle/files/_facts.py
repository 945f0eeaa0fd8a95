"""What only a look at every byte of a text file tells."""

import codecs
from dataclasses import dataclass

from cornac_mle.files._unpack import Source

BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Facts:
    """What a look at every byte told.

    Parameters
    ----------
    encoding : str
        "utf-8-sig", "utf-16" or "latin-1".
    quotes, odd_quotes : bool
        Whether there are double quotes, and whether in odd number.
    lone_returns, unit_separators : bool
        Whether lines end in a carriage return alone, and whether there is a byte 0x1f.
    blank_lines : int
        Number of empty lines.
    """

    encoding: str
    quotes: bool
    odd_quotes: bool
    lone_returns: bool
    unit_separators: bool
    blank_lines: int


def facts_of(source: Source) -> Facts:
    """Look at every byte of a text file."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    utf8, utf16, quotes, returns, separators, blank = True, False, 0, False, False, 0
    with source.open() as stream:
        first = True
        while block := stream.read(BLOCK_BYTES) + stream.readline():
            if first:
                utf16 = block.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
            try:
                if utf8 and not block.isascii():
                    decoder.decode(block, final=True)  # a block ends with its line
            except UnicodeDecodeError:
                utf8 = False
            quotes += block.count(b'"')
            returns = returns or block.count(b"\r") != block.count(b"\r\n")
            separators = separators or b"\x1f" in block
            if b"\n\n" in block or b"\n\r" in block or block[:1] in (b"\n", b"\r"):
                blank += sum(not line for line in block.splitlines())
            first = False
    encoding = "utf-16" if utf16 else "utf-8-sig" if utf8 else "latin-1"
    return Facts(encoding, quotes > 0, quotes % 2 == 1, returns, separators, blank)
