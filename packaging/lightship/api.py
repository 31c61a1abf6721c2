"""Lightship from Python: what the command line does, for live models. Imports wait until a function is called."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from lightship.checking import Check
    from lightship.plan import Golden
    from lightship_runtime.contract import Task
    from lightship_runtime.manifest import Release

type Say = Callable[[str], None]


@dataclass(frozen=True)
class Packaged:
    """A sealed release and the folder it lies in."""

    path: Path
    release: "Release"

    def to_dict(self) -> dict[str, Any]:
        """What `lightship package --json` prints."""
        return {**self.release.to_dict(), "release": str(self.path)}


def package(  # noqa: PLR0913 - the options of a command, by keyword
    model: Any,
    *,
    sample: Any,
    labels: Any = None,
    out: str | Path = "dist",
    name: str | None = None,
    engine: str = "auto",
    python: str = "3.13",
    architecture: str = "x86_64",
    task: "Task | None" = None,
    thresholds: "Mapping[str, float] | None" = None,
    include: Sequence[str | Path] = (),
    module: str | Path | None = None,
    golden: "Golden" = "sample",
    baseline: Any = None,
    baseline_label: str | None = None,
    segments: Sequence[str] = (),
    say: Say | None = None,
) -> Packaged:
    """Build and prove a release of a fitted model.

    `model` is an estimator with scikit-learn's methods, or a LightGBM or XGBoost Booster. `sample` holds rows of its
    input as it was fitted on: a DataFrame, a NumPy matrix, a list of dictionaries, or a list of texts; `labels`
    what happened in each of them, for the scores. `thresholds` has, by class, the probability from which it is
    predicted. `module` is the path of a Python file with `preprocess(row)` or `postprocess(prediction)`, which go
    around the model: `sample` is then what callers send. `golden = "synthetic"` makes the golden rows from the
    contract, so that the release holds no row of the sample. `baseline` holds the rows that monitoring compares later
    ones with (a path, or what `sample` may be; the sample by default), `baseline_label` names its column of what
    happened, and `segments` the columns to report accuracy by. The other arguments are the options of
    `lightship package`. Raises LightshipError.
    """
    from lightship.loading import loaded_object
    from lightship.pipeline import run
    from lightship.plan import make_plan
    from lightship.samples import as_labels, as_sample
    from lightship_runtime.manifest import Release

    plan = make_plan(
        out=Path(out),
        name=name or _default_name(model),
        engine=engine,
        python=python,
        architecture=architecture,
        task=task,
        thresholds=thresholds or {},
        include=[Path(each) for each in include],
        module=None if module is None else Path(module),
        golden=golden,
        baseline_label=baseline_label,
        segments=tuple(segments),
    )
    actual = None if labels is None else as_labels(labels)
    place = run(plan, say or _silent, (loaded_object(model), as_sample(sample), actual), _rows(baseline))
    return Packaged(place, Release.read(place))


def check(model: Any, sample: Any, *, task: "Task | None" = None, module: str | Path | None = None) -> "Check":
    """Which engines reproduce a fitted model on the sample, and how fast; nothing is built. Raises LightshipError."""
    from lightship.checking import check as check_loaded
    from lightship.loading import loaded_object
    from lightship.samples import as_sample

    return check_loaded(
        loaded_object(model), as_sample(sample), task, _silent, None if module is None else Path(module)
    )


def _rows(data: Any) -> "pd.DataFrame | None":
    """Rows of a file or from Python."""
    from lightship.samples import as_sample, read_sample

    if data is None:
        return None
    return read_sample(data) if isinstance(data, str | Path) else as_sample(data)


def _default_name(model: Any) -> str:
    """The name of the estimator, or of a pipeline's last step."""
    steps = getattr(model, "steps", None)
    last = steps[-1][1] if steps else model
    return type(last).__name__[:40]


def _silent(_text: str) -> None:
    """Say nothing."""
