"""What a program gives, checked against what the contract promises."""

from lightship_runtime.contract import Contract
from lightship_runtime.program.format import InvalidProgramError, Program


def checked_program(program: Program, contract: Contract) -> Program:
    """The program itself. Raises InvalidProgramError where its columns or outputs aren't the contract's."""
    output = contract.output
    widths = {"predictions": _prediction_width(contract)}
    if output.probabilities:
        widths["probabilities"] = len(output.classes) if output.task != "multilabel" else max(output.width, 1)
    if program.nodes[0].width != len(contract.columns):
        raise InvalidProgramError(
            f"it reads {program.nodes[0].width} columns, and the contract has {len(contract.columns)}"
        )
    for name, width in widths.items():
        node = program.outputs.get(name)
        if node is None or node.kind != "dense" or node.width != width:
            found = "nothing" if node is None else f"{node.kind} of width {node.width}"
            raise InvalidProgramError(f"it gives {found} as {name}, and the contract says width {width}")
    return program


def _prediction_width(contract: Contract) -> int:
    return contract.output.width or 1
