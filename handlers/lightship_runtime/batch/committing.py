"""Ends a run: counts everything again, and publishes only what adds up.

A run of new objects is committed by replacing `_lightship/head.json`, on the condition that it is still the one the run
was planned on: of two runs that found the same objects, one commits. Then come the manifest and, last, `_SUCCESS`.
"""

import json
import sys
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lightship_runtime.batch.account import Account
from lightship_runtime.batch.ahead import ahead
from lightship_runtime.batch.counting import Counter, Monitoring
from lightship_runtime.batch.errors import BatchError
from lightship_runtime.batch.ledger import WIDTH, Ledger
from lightship_runtime.batch.places import (
    FAILED,
    HEAD,
    MANIFEST,
    SUCCESS,
    ledger_name,
    result_name,
    run_folder,
)
from lightship_runtime.batch.records import ChunkResult
from lightship_runtime.batch.stores import Store
from lightship_runtime.documents import dump_document

SCHEMA = 1
SHOWN = 10


class NotCommittedError(BatchError):
    """A run whose output isn't published. Everything it wrote is kept."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last committed run of new objects, and the tag of the object that says so."""

    run: str
    tag: str


def read_head(sink: Store) -> Head | None:
    found = sink.read(HEAD)
    return None if found is None else Head(json.loads(found[0])["run"], found[1])


def is_done(sink: Store, run: str) -> bool:
    return sink.read(f"{run_folder(run)}/{SUCCESS}") is not None


def finish_head(sink: Store, monitoring: Monitoring | None = None) -> None:
    """Publish the last committed run, where whoever committed it was stopped before."""
    head = read_head(sink)
    if head is not None and not is_done(sink, head.run):
        commit(head.run, sink, monitoring)


def commit(run: str, sink: Store, monitoring: Monitoring | None = None) -> dict[str, Any]:
    """Reconcile and publish; the manifest. A committed run's manifest is simply returned.

    With `monitoring` the run's counts are written before `_SUCCESS`.

    Raises NotCommittedError when chunks are missing, don't add up or couldn't be read, or too many rows were rejected.
    """
    from lightship_runtime.batch.planning import read_plan

    done = sink.read(f"{run_folder(run)}/{MANIFEST}")
    if done is not None and is_done(sink, run):
        manifest: dict[str, Any] = json.loads(done[0])
        return manifest
    plan = read_plan(sink, run)
    if plan is None:
        raise BatchError(f"The run {run} has no plan. Start it anew.")
    if monitoring and monitoring.version != plan.request.version:
        monitoring = None  # counts mean nothing under another release's bins
    merged = _Merged(monitoring.counter if monitoring else None)
    try:
        manifest = _reconciled(run, plan, sink, merged)
        if plan.request.only_new:
            _take(run, plan, sink)
    except NotCommittedError as error:
        sink.write(f"{run_folder(run)}/{FAILED}", dump_document({"run": run, "reason": str(error)}))
        raise
    writes = len(manifest["parts"]) + len(manifest["rejects"])
    account = Account.settle(run, sink, work_s=merged.work_s, items=plan.item_count, writes=writes)
    document = dump_document(manifest)
    sink.write(f"{run_folder(run)}/{MANIFEST}", document)
    if monitoring and merged.profile:
        try:
            monitoring.report(run, account.committed, merged.profile, manifest["rows_rejected"])
        except Exception:  # noqa: BLE001 - a run that adds up is published, though its counts can't be stored
            traceback.print_exc(file=sys.stderr)
    sink.write(f"{run_folder(run)}/{SUCCESS}", b"")
    published: dict[str, Any] = json.loads(document)
    return published


class _Merged:
    """What all items come down to: the seconds of their work, and their counts where a counter asks for them."""

    def __init__(self, counter: Counter | None) -> None:
        self._counter = counter
        self.profile = counter.empty() if counter else None
        self.work_s = 0.0

    def add(self, item: Mapping[str, Any]) -> None:
        self.work_s += sum(sum(each["seconds"].values()) for each in item["results"])
        if self._counter and self.profile and item["counts"]:
            self.profile.add(self._counter.merged([item["counts"]]))


def _reconciled(run: str, plan: Any, sink: Store, merged: _Merged) -> dict[str, Any]:
    results = sorted(_results(run, plan.item_count, sink, merged), key=lambda each: each.number)
    unreadable = [each for each in results if each.unreadable]
    if unreadable:
        listed = "; ".join(f"{each.file}: {each.unreadable}" for each in unreadable[:SHOWN])
        raise NotCommittedError(
            f"{len(unreadable)} objects of the run {run} can't be read: {listed} "
            "Mend or remove them, and start another run."
        )
    totals = {
        name: sum(getattr(each, name) for each in results) for name in ("rows_in", "rows_scored", "rows_rejected")
    }
    if not all(each.reconciled for each in results):
        raise NotCommittedError(f"The counts of the run {run} don't add up: {totals}. Score its chunks again.")
    _check_parts(run, results, sink)
    share = totals["rows_rejected"] / totals["rows_in"] if totals["rows_in"] else 0.0
    limit = plan.request.settings.max_reject_share
    if share > limit:
        raise NotCommittedError(
            f"{totals['rows_rejected']:,} of {totals['rows_in']:,} rows of the run {run} were rejected, over the limit "
            f"of {limit:.2%}. See {run_folder(run)}/_rejects; scored rows are kept there too, unpublished."
        )
    return {
        "schema": SCHEMA,
        "run": run,
        "model": plan.request.model,
        "version": plan.request.version,
        "settings": plan.request.settings.to_dict(),
        "objects": plan.objects,
        "bytes_in": plan.total_bytes,
        "ignored": plan.ignored,
        **totals,
        "parts": [
            {"name": each.part, "bytes": each.part_bytes, "rows": each.rows_scored} for each in results if each.part
        ],
        "rejects": [each.rejects for each in results if each.rejects],
    }


def _results(run: str, count: int, sink: Store, merged: _Merged) -> Iterator[ChunkResult]:
    missing: list[int] = []
    for item, found in ahead(lambda item: sink.read(result_name(run, item)), range(count)):
        if found is None:
            missing.append(item)
        else:
            document = json.loads(found[0])
            merged.add(document)
            yield from map(ChunkResult.from_dict, document["results"])
    if missing:
        raise NotCommittedError(
            f"{len(missing)} of {count} items of the run {run} have no result ({_listed(missing)}). Redrive the run: "
            "what is done is not done again."
        )


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:SHOWN])) + (", …" if len(numbers) > SHOWN else "")


def _check_parts(run: str, results: list[ChunkResult], sink: Store) -> None:
    """The parts that lie there are those that the results name, byte for byte in size."""
    folder = run_folder(run)
    expected = {f"{folder}/{each.part}": each.part_bytes for each in results if each.part}
    found = {each.name: each.size for each in sink.list(f"{folder}/part-")}
    wrong = [name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)]
    if wrong:
        raise NotCommittedError(
            f"{len(wrong)} parts of the run {run} aren't what was written, such as {min(wrong)}: "
            f"{found.get(min(wrong))} bytes instead of {expected.get(min(wrong))}. Start another run."
        )


def _take(run: str, plan: Any, sink: Store) -> None:
    """Make this the last committed run, with its objects in the ledger."""
    head = read_head(sink)
    if head is not None and head.run == run:
        return
    if (head.tag if head else None) != plan.head:
        raise NotCommittedError(
            f"The run {head.run if head else 'none'} was committed since {run} was planned, and may have taken the "
            "same objects. Start another run; it takes what is left."
        )
    digests = sink.read(plan.digests)
    if digests is None:
        raise BatchError(f"The run {run} lacks {plan.digests}. Start another run.")
    mine = Ledger.of(digests[0][i : i + WIDTH] for i in range(0, len(digests[0]), WIDTH))
    before = sink.read(ledger_name(head.run)) if head else None
    sink.write(ledger_name(run), Ledger.from_bytes(before[0] if before else b"").union(mine).to_bytes())
    if not sink.replace(HEAD, dump_document({"schema": SCHEMA, "run": run}), plan.head):
        raise NotCommittedError(f"Another run was committed at the same moment as {run}. Start another run.")
