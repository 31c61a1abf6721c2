"""One item of a run: its chunks scored, its result written. Done again, it does nothing or the same."""

import json
from collections.abc import Callable, Sequence

from lightship_runtime.batch.places import result_name, run_folder
from lightship_runtime.batch.records import Chunk, ChunkResult, Settings
from lightship_runtime.batch.score import Model, Place, score_chunk
from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document


def score_item(
    run: str,
    item: int,
    chunks: Sequence[Chunk],
    settings: Settings,
    model: Model,
    source: Store,
    sink: Store,
    progress: Callable[[int], None] = lambda _rows: None,
) -> list[ChunkResult]:
    """The results of the item's chunks, from an earlier time where they were all written then."""
    name = result_name(run, item)
    earlier = sink.read(name)
    if earlier is not None:
        return [ChunkResult.from_dict(each) for each in json.loads(earlier[0])["results"]]
    place = Place(source, sink, run_folder(run))
    results = [score_chunk(chunk, settings, model, place, progress) for chunk in chunks]
    counts = [each.counts for each in results if each.counts is not None]
    merged = model.counter.merged(counts).to_dict() if model.counter and counts else None
    sink.write(name, dump_document({"results": [each.to_dict() for each in results], "counts": merged}))
    return results
