"""From bytes to blocks of text, and from columns to text, losing nothing."""

import gzip
import io
import json
import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship_runtime.batch import fields, streams


@settings(max_examples=100, deadline=None, derandomize=True)
@given(
    lines=st.lists(st.text('ab€é"', max_size=12), max_size=20),
    size=st.integers(4, 40),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-16-be"]),
    zipped=st.booleans(),
)
def test_blocks_are_the_text_cut_at_line_ends(lines: list[str], size: int, encoding: str, zipped: bool) -> None:
    text = "".join(line + "\n" for line in lines).encode(encoding, "replace").decode(encoding)
    data = text.encode(encoding)
    raw = io.BytesIO(gzip.compress(data) if zipped else data)
    opened = streams.Text(raw, "a.jsonl", encoding)
    found = [bytes(block) for block in streams.blocks(opened.readinto, "a.jsonl", None, size=size)]
    assert b"".join(found).decode() == text
    assert all(block.endswith(b"\n") for block in found)


NUMBERS = st.floats(width=64) | st.none() | st.sampled_from([0.0, -0.0, 1e16, 1e22, 1e-7, 5e-324, 2.0, 0.1 + 0.2])


@settings(max_examples=200, deadline=None, derandomize=True)
@given(values=st.lists(NUMBERS, max_size=20), narrow=st.booleans(), sliced=st.integers(0, 3))
def test_floats_keep_every_digit_as_text(values: list[float | None], narrow: bool, sliced: int) -> None:
    with np.errstate(over="ignore"):
        array = pa.array(np.array([0.0 if each is None else each for each in values], np.float32 if narrow else float),
                         mask=np.array([each is None for each in values], bool))[sliced:]  # fmt: skip
    for text, value in zip(fields.csv_text(array, ",").to_pylist(), array.to_pylist(), strict=True):
        assert (
            text == ""
            if value is None
            else repr(np.array(float(text), array.type.to_pandas_dtype()))
            == repr(np.array(value, array.type.to_pandas_dtype()))
        )
    for text, value in zip(fields.json_text(array).to_pylist(), array.to_pylist(), strict=True):
        found = json.loads(text)
        assert found is None if value is None or not math.isfinite(value) else np.float64(found) == value or narrow
