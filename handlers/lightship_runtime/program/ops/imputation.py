"""Missing numbers, filled in from other rows or from the other columns."""

from lightship_runtime.program.format import InvalidProgramError, Node
from lightship_runtime.program.numerics import Array, Floats, np
from lightship_runtime.program.operations import Operation, Step


def replace_pure(node: Node) -> Step:
    """Three dense, filled, predicted (width 1) and original -> dense: filled, but the prediction within `low` and
    `high` (1 each) at `column` where the original is NaN."""
    column, low, high = _place(node)

    def step(filled: list[float], predicted: list[float], original: list[float]) -> list[float]:
        if original[column] == original[column]:
            return filled
        value = predicted[0]
        return [*filled[:column], low if value < low else min(value, high), *filled[column + 1 :]]

    return step


def replace_array(node: Node) -> Step:
    column, low, high = _place(node)

    def step(filled: Floats, predicted: Floats, original: Floats) -> Floats:
        result = np.array(filled)
        missing = np.isnan(original[:, column])
        result[missing, column] = np.clip(predicted[missing, 0], low, high)
        return result

    return step


def _place(node: Node) -> tuple[int, float, float]:
    column = node.param("column", int)
    if not 0 <= column < node.width or any(each.width != node.width for each in (node.inputs[0], node.inputs[2])):
        raise InvalidProgramError(f"the column {column} is outside a row of {node.width}")
    return column, *(node.block(name, shape=(1,)).items()[0] for name in ("low", "high"))


def nearest_array(node: Node) -> Step:
    """dense -> dense: NaN becomes the mean of the `k` nearest of `points` (rows, width) that have the column, by
    `weights` uniform or distance. Distances count what both rows have, scaled up to all columns. `columnwise`: the
    points were in memory column after column."""
    points = node.block("points", shape=(None, node.width)).numpy()
    count, by_distance = node.param("k", int), node.param("weights", str) == "distance"
    points = np.asfortranarray(points) if node.param("columnwise", bool, False) else points
    absent = np.isnan(points)
    donors = [np.flatnonzero(~absent[:, i]) for i in range(node.width)]
    if count < 1 or any(not len(each) for each in donors):
        raise InvalidProgramError("a column has no value to fill it with")
    distances = _distances(np.where(absent, 0.0, points), absent)

    def step(dense: Floats) -> Floats:
        result = np.array(dense)
        missing = np.isnan(dense)
        rows = np.flatnonzero(missing.any(axis=1))
        if len(rows):
            apart = distances(np.where(missing[rows], 0.0, dense[rows]), missing[rows])
            for i in np.flatnonzero(missing.any(axis=0)):
                wanting = np.flatnonzero(missing[rows, i])
                near = apart[wanting][:, donors[i]]
                result[rows[wanting], i] = _means(near, points[donors[i], i], count, by_distance)
        return result

    return step


def _distances(points: Array, absent: Array) -> Step:
    """Rows and where they lack values -> (n, m) distances, NaN where two rows have no column in common."""
    norms, width = np.einsum("ij,ij->i", points, points), points.shape[1]

    def between(rows: Array, missing: Array) -> Array:
        squares = -2 * (rows @ points.T)
        squares += np.einsum("ij,ij->i", rows, rows)[:, None]
        squares += norms[None, :]
        squares = np.maximum(squares, 0)
        squares -= np.dot(rows * rows, absent.T)
        squares -= np.dot(missing, (points * points).T)
        np.clip(squares, 0, None, out=squares)
        present = np.dot(1 - missing, ~absent.T)
        squares[present == 0] = np.nan
        squares /= np.maximum(1, present)
        squares *= width
        distances: Array = np.sqrt(squares)
        return distances

    return between


def _means(apart: Array, values: Array, count: int, by_distance: bool) -> Array:
    """(n) means of the nearest values; of all values for a row without any distance."""
    count = min(count, len(values))
    places = np.argpartition(apart, count - 1, axis=1)[:, :count]
    distances = np.take_along_axis(apart, places, axis=1)
    weights = np.ones_like(distances)
    if by_distance:
        weights = 1.0 / distances
        exact = np.isinf(weights).any(axis=1)
        weights[exact] = np.isinf(weights)[exact]
    weights[np.isnan(distances)] = 0.0
    means: Array = (values[places] * weights).sum(axis=1) / weights.sum(axis=1)
    means[np.isnan(apart).all(axis=1)] = values.mean()
    return means


OPERATIONS = {"replace": Operation(replace_array, replace_pure), "nearest": Operation(nearest_array)}
