"""Files of random bytes, and of bytes that are nearly those of a table or of arrays."""

import gzip
import io
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fuzzing import fuzzed, tried, within_memory
from hypothesis import strategies as st

from cornac_mle import Profiles
from cornac_mle.files.interactions import read_table
from cornac_mle.files.npz import read_arrays
from cornac_mle.files.profile_layouts import ARRAYS

SUFFIXES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".parquet", ".npz", "", ".CSV", ".xls")
FIELDS = st.one_of(
    st.sampled_from(
        ["", " ", "1", "01", "1.0", "-1", "nan", "inf", "1e39", "1e-50", "1_000", "=1+1", "user"]
    ),
    st.sampled_from(['"', '""', "a,b", "a\tb", "a\nb", "a\rb", "\ufeff", "\x00", "ü", "\u2028"]),
    st.integers().map(str),
    st.floats().map(str),
    st.text(max_size=6),
)
NAMES = st.sampled_from(
    ["user", "item", "rating", "timestamp", "User", "user_id", "stars", "", "user ", "\ufeffuser"]
)


def quoted(field):
    return '"' + field.replace('"', '""') + '"'


@st.composite
def tables(draw):
    """Text of a table that is often whole: a header, lines, separators, quotes, line ends."""
    good = draw(st.booleans())
    header = ["user", "item", "rating"] if good else draw(st.lists(NAMES, max_size=5))
    separator = draw(st.sampled_from([",", ",", "\t", ";"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    width = len(header) if draw(st.integers(0, 5)) else draw(st.integers(0, 6))
    row = st.lists(FIELDS, min_size=width, max_size=width)
    rows = draw(st.lists(row, max_size=6))
    if good:
        for number, one in enumerate(rows):
            if len(one) == 3:
                one[0], one[2] = f"u{number}", draw(st.sampled_from(["1", "5", "", "0", one[2]]))
    write = quoted if draw(st.booleans()) else str
    lines = [separator.join(map(write, one)) for one in [header, *rows]]
    return end.join(lines) + draw(st.sampled_from(["", end, end * 3]))


@st.composite
def damaged(draw, contents):
    """Cut bytes off, change some, or put some in."""
    content = bytearray(draw(contents))
    for _ in range(draw(st.integers(0, 3))):
        if not content:
            break
        place = draw(st.integers(0, len(content) - 1))
        how = draw(st.sampled_from(["cut", "change", "insert", "none"]))
        if how == "cut":
            del content[place:]
        elif how == "change":
            content[place] = draw(st.integers(0, 255))
        elif how == "insert":
            content[place:place] = draw(st.binary(max_size=4))
    return bytes(content)


def encoded(text):
    return text.encode("utf-8", "surrogatepass")


@st.composite
def arrays(draw):
    """An array of any type and shape, small."""
    dtype = draw(st.sampled_from(["<f4", "<f8", "<i4", "<i8", "<U3", "|S2", "?", "<c8", "<M8[s]"]))
    shape = draw(st.lists(st.integers(0, 3), max_size=2))
    size = int(np.prod(shape, dtype=int)) * np.dtype(dtype).itemsize
    return np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)


@st.composite
def archives(draw):
    """Bytes of an .npz file: of profiles with an array or two changed, or of anything."""
    held = {
        "user_ids": np.array(["a", "b"]),
        "item_ids": np.array(["x", "y", "z"]),
        "indptr": np.array([0, 2, 3]),
        "indices": np.array([0, 2, 1], dtype=np.int32),
        "values": np.array([1, 2, 3], dtype=np.float32),
    }
    for name in draw(st.lists(st.sampled_from([*held, "other"]), max_size=2)):
        change = draw(st.sampled_from(["array", "drop", "number", "junk"]))
        if change == "drop":
            held.pop(name, None)
        elif change == "number" and name in ("indptr", "indices", "values"):
            number = draw(st.sampled_from([-1, 0, 7, 2**31 - 1, 2**40]))
            kept = np.ones(3, dtype=np.int64)
            kept[draw(st.integers(0, 2))] = number
            held[name] = kept
        else:
            held[name] = draw(arrays())
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, array in held.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(array), allow_pickle=False)
            body = part.getvalue()
            if draw(st.integers(0, 9)) == 0:  # a header that promises more than there is
                body = body.replace(b"(2,)", b"(9999999999999,)").replace(b"(3,)", b"(10**12,)")
            archive.writestr(f"{name}.npy", body)
    return content.getvalue()


CONTENTS = st.one_of(
    st.binary(max_size=200),
    damaged(tables().map(encoded)),
    tables().map(encoded),
    damaged(tables().map(lambda text: gzip.compress(encoded(text)))),
    tables().map(lambda text: gzip.compress(encoded(text))),
    damaged(archives()),
    archives(),
)


def read_all(content, suffix):
    """Read a file by every reader; what is read must be what was promised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table{suffix}"
        path.write_bytes(content)
        table = tried(lambda: read_table(path), also=(OSError,))
        if table is not None:
            assert len(table) > 0
            assert all(isinstance(one, str) and one for one in table["user"])
            assert all(isinstance(one, str) and one for one in table["item"])
            if "rating" in table:
                assert np.isfinite(table["rating"]).all()
        tried(lambda: read_arrays(path, ARRAYS), also=(OSError,))
        users = tried(lambda: Profiles.read(path), also=(OSError,))
        if users is None:
            return
        assert (users.matrix.data > 0).all()
        assert np.isfinite(users.matrix.data).all()
        # What was read can be written, and comes back; ids that cannot be are refused in a line.
        for back in (Path(folder) / "back.npz", Path(folder) / "back.csv"):
            if tried(lambda back=back: users.write(back) or back, also=(OSError,)) is None:
                continue
            again = Profiles.read(back)
            assert again.user_ids.equals(users.user_ids)
            assert again.item_ids.equals(users.item_ids)
            assert (again.matrix != users.matrix).nnz == 0


@fuzzed(60, 3000, content=CONTENTS, suffix=st.sampled_from(SUFFIXES))
def test_any_bytes_are_read_or_refused_in_one_line(content, suffix):
    read_all(content, suffix)


@fuzzed(40, 1500, text=tables(), suffix=st.sampled_from([".csv", ".tsv", ".csv.gz"]))
def test_nearly_valid_tables_are_read_or_refused_in_one_line(text, suffix):
    content = encoded(text)
    read_all(gzip.compress(content) if suffix.endswith("gz") else content, suffix)


def bomb(suffix):
    """Bytes of a file that would be large in memory."""
    zeros = bytes(2**20)
    if suffix == ".csv.gz":
        content = io.BytesIO()
        with gzip.GzipFile("", "wb", 9, content) as file:
            for _ in range(2048):
                file.write(zeros)
        return content.getvalue()
    if suffix == ".npz":
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ARRAYS:
                header = {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
                part = io.BytesIO()
                np.lib.format.write_array_header_1_0(part, header)
                archive.writestr(f"{name}.npy", part.getvalue() + zeros)
        return content.getvalue()
    if suffix == ".parquet":
        content = io.BytesIO()
        same = ["x" * 1000] * 1_000_000
        pd.DataFrame({"user": same, "item": same}).to_parquet(content, index=False)
        return content.getvalue()
    return b"user,item,rating\n" + b"x" * 2**27


@pytest.mark.fuzz
@pytest.mark.parametrize("suffix", [".csv.gz", ".npz", ".csv", ".parquet"])
def test_files_that_would_fill_the_memory_are_refused(suffix):
    content = bomb(suffix)
    within_memory(lambda: read_all(content, suffix))


@pytest.mark.fuzz
@pytest.mark.parametrize("number", range(2))
def test_random_files_fit_into_memory(number):
    random = np.random.default_rng(number)

    def read_some():
        for _ in range(1000):
            shape = random.integers(1, 2000)
            body = random.bytes(shape)
            header = random.choice([b"", b"user,item\n", b"PAR1", b"PK\x03\x04", b"\x1f\x8b\x08"])
            read_all(header + body, str(random.choice(SUFFIXES)))

    within_memory(read_some)
