"""How much a file may make of itself in memory: no honest table comes near these limits."""

from cornac_mle.files.refusals import ContentError

LINE_CHARACTERS = 2**20
FIELD_CHARACTERS = 131_072
"""Longest field; also that of Python's `csv`, where a quote that is not closed ends."""
TEXT_CHARACTERS = 2**33
TIMES_PACKED = 100
"""What is unpacked may be this many times as large as its file. Tables pack to a tenth or so."""
MIB = 2**20


def unpacked_limit(packed_bytes: int, least: int) -> int:
    """Give the bytes that a packed file may hold: `least`, or a multiple of its own size."""
    return max(least, TIMES_PACKED * packed_bytes)


def unpacked_too_large(packed_bytes: int, least: int) -> ContentError:
    """Refuse a packed file that holds more than `unpacked_limit`."""
    rule = f"unpack to at most {TIMES_PACKED} times its size (or {least // MIB} MiB)"
    got = f"{packed_bytes:,} bytes that unpack to more"
    advice = "Unpack it yourself, if you know what it is."
    return ContentError(rule=rule, got=got, advice=advice)
