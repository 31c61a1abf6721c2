"""Labels by thresholds of the user's own, in place of the model's: the same for requests, batches and golden rows."""

from collections.abc import Sequence
from typing import Any

from lightship_runtime.engine import Engine, Outputs, Values


class ThresholdedEngine:
    """An engine whose labels follow `thresholds`: one a class, None for a class without.

    Of the classes whose probability reaches their threshold, the one that exceeds it most, as a ratio, is predicted;
    where none does, the most probable of the classes without a threshold, or of all when each has one.
    """

    def __init__(self, engine: Engine, thresholds: Sequence[float | None]) -> None:
        self._engine = engine
        self._set = [(position, value) for position, value in enumerate(thresholds) if value is not None]
        free = [position for position, value in enumerate(thresholds) if value is None]
        self._rest = free or list(range(len(thresholds)))

    @property
    def name(self) -> str:
        return self._engine.name

    def predict(self, columns: Sequence[Values]) -> Outputs:
        outputs = self._engine.predict(columns)
        probabilities: Any = outputs.probabilities
        if hasattr(probabilities, "shape"):
            return outputs._replace(predictions=self._of_matrix(probabilities))
        return outputs._replace(predictions=[self._of_row(row) for row in probabilities])

    def _of_row(self, row: Sequence[float]) -> int:
        best, position = max((row[position] / value, -position) for position, value in self._set)
        if best >= 1:
            return -position
        return max(self._rest, key=lambda each: row[each])

    def _of_matrix(self, probabilities: Any) -> Any:
        import numpy as np

        positions = np.array([position for position, _ in self._set])
        ratios = probabilities[:, positions] / np.array([value for _, value in self._set])
        otherwise = np.array(self._rest)[probabilities[:, self._rest].argmax(axis=1)]
        return np.where(ratios.max(axis=1) >= 1, positions[ratios.argmax(axis=1)], otherwise)
