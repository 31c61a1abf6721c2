"""Teaches moto's Step Functions the ItemBatcher of a distributed map, which its grammar lacks.

The field is taken out of the definition before moto parses it, and applied to what the map's ItemReader read.
https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itembatcher.html
"""

import json
from collections.abc import Iterator
from typing import Any

from lightship.rehearsal.emulator.seams import replace
from lightship_runtime.errors import LightshipError


def install() -> None:
    from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.item_reader_decl import ItemReader
    from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser

    batchers: dict[str, dict[str, Any]] = {}
    parse, read = AmazonStateLanguageParser.parse, ItemReader._eval_body

    def new_parse(definition: str) -> Any:
        plain, found = split_definition(definition)
        batchers.update(found)
        return parse(plain)

    def new_read(self: Any, env: Any) -> None:
        read(self, env)
        batcher = batchers.get(env.states.context_object.context_object_data["State"]["Name"])
        if batcher:
            env.stack.append(batches(env.stack.pop(), batcher))

    replace(AmazonStateLanguageParser, "parse", staticmethod(new_parse))
    replace(ItemReader, "_eval_body", new_read)


def split_definition(definition: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """The definition as moto can parse it, and the batchers by the names of their states. Raises LightshipError."""
    document = json.loads(definition)
    found = {}
    for name, state in _states(document):
        if batcher := state.pop("ItemBatcher", None):
            if unknown := sorted(batcher.keys() - {"MaxItemsPerBatch", "BatchInput"}):
                raise LightshipError(f"The rehearsal doesn't know {', '.join(unknown)} of an ItemBatcher.")
            if "ItemReader" not in state:
                raise LightshipError(f"The rehearsal batches what an ItemReader reads; {name} has none.")
            found[name] = batcher
        if "ToleratedFailurePercentage" in state:
            # moto's grammar wants a decimal point.
            state["ToleratedFailurePercentage"] = float(state["ToleratedFailurePercentage"])
    return json.dumps(document), found


def batches(items: list[Any], batcher: dict[str, Any]) -> list[dict[str, Any]]:
    """The items in groups, each with the batch's common input."""
    size = int(batcher["MaxItemsPerBatch"])
    common = {"BatchInput": batcher["BatchInput"]} if "BatchInput" in batcher else {}
    return [{**common, "Items": items[start : start + size]} for start in range(0, len(items), size)]


def _states(machine: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, state in machine.get("States", {}).items():
        yield name, state
        for inner in (state.get("ItemProcessor"), state.get("Iterator"), *state.get("Branches", [])):
            if inner:
                yield from _states(inner)
