"""The rehearsal's batch: the configuration it makes where there is none, and the objects it scores."""

import gzip
import json
import tomllib

import pytest

from lightship.batch.config import BatchConfig
from lightship.rehearsal.batches import NO_ROW, prepare, with_batch
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.golden import Golden

MODEL = Contract((Column("x", "number", "float64"), Column("word", "text", "object")), Output("regression"))
ROWS = Golden(((1.5, "a"), (None, ""), (2.0, 'b;"c'), (3.0, "é")), (1.0, 2.0, 3.0, 4.0), None, None, 4)


@pytest.mark.parametrize(
    ("text", "schedule", "output"),
    [
        ('[model]\nname = "m"', "rate(1 day)", "s3://lightship-rehearsal/scored/"),
        ('[batch] # mine\noutput = "s3://mine/out/"\n[model]\nname = "m"', "rate(1 day)", "s3://mine/out/"),
    ],
)
def test_a_project_without_a_schedule_gets_one_and_keeps_what_it_says(text: str, schedule: str, output: str) -> None:
    document = tomllib.loads(with_batch(text) or "")
    assert document["model"] == {"name": "m"}
    batch = BatchConfig(**{**document["batch"], "key": tuple(document["batch"]["key"])})
    assert (batch.schedule, batch.output) == (schedule, output)


def test_a_table_that_lines_cannot_be_added_to_is_left_alone() -> None:
    assert with_batch('batch = { format = "csv" }') is None


def test_json_lines_hold_every_row_and_one_that_is_none() -> None:
    prepared = prepare(BatchConfig(key=("id", "x"), keep=("z",), max_reject_share=0.2), MODEL, ROWS)
    first, second = prepared.objects.values()
    lines = [json.loads(line) for line in (first + gzip.decompress(second)).splitlines()]
    # A row whose key is missing can't be told apart, so it isn't asked for.
    assert [each for each in lines if each != NO_ROW] == [
        {"x": row[0], "word": row[1], "id": i, "z": "kept"} for i, row in enumerate(ROWS.rows) if i != 1
    ]
    assert (prepared.bad, lines.count(NO_ROW)) == (0, 0)
    assert prepared.keys == (("0", "1.5"), ("2", "2.0"), ("3", "3.0"))
    assert prepared.golden.predictions == (1.0, 3.0, 4.0)
    generous = prepare(BatchConfig(key=("id",), max_reject_share=0.5), MODEL, ROWS)
    assert (generous.bad, next(iter(generous.objects.values())).count(NO_ROW.encode())) == (1, 1)


def test_csv_leaves_out_what_it_cannot_say() -> None:
    batch = BatchConfig(key=("id",), input_format="csv", delimiter=";", encoding="ascii")
    prepared = prepare(batch, MODEL, ROWS)
    first, second = prepared.objects.values()
    assert first == b"x;word;id\n1.5;a;0\n"
    assert gzip.decompress(second) == b'x;word;id\n2.0;"b;""c";2\n'
