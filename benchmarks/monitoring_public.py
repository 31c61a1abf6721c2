"""Drift and estimated performance on the public data sets that ship inside the nannyml package, beside NannyML itself.

Run: python benchmarks/monitoring_public.py /path/to/python

The interpreter named has nannyml installed; it is run as a program of its own.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lightship.monitoring import make_baseline, monitor

METRICS = ("accuracy", "f1", "roc_auc")
CHUNK = 5_000
DRIFTED = ("car_value", "salary_range", "loan_length", "repaid_loan_on_prev_car")
CLEAN = ("debt_to_income_ratio", "size_of_downpayment", "driver_tenure")
WINDOWS = 2_000

NANNYML = """
import sys, warnings
warnings.filterwarnings("ignore")
import nannyml, pandas as pd
folder, kind, score, prediction, label = sys.argv[1:6]
score = eval(score)
reference, analysis = (pd.read_csv(f"{folder}/{name}.csv") for name in ("reference", "analysis"))
cbpe = nannyml.CBPE(y_pred_proba=score, y_pred=prediction, y_true=label, metrics=["accuracy", "f1", "roc_auc"],
                    chunk_size=5000, problem_type=kind).fit(reference)
found = cbpe.estimate(analysis).filter(period="analysis").to_df()
pd.DataFrame({**{m: found[(m, "value")] for m in ("accuracy", "f1", "roc_auc")},
              "start": found[("chunk", "start_index")], "end": found[("chunk", "end_index")]}
             ).to_csv(f"{folder}/estimates.csv", index=False)
"""


@dataclass(frozen=True)
class Case:
    name: str
    files: tuple[str, str, str]
    score: str | dict[str, str]
    prediction: str
    label: str

    @property
    def kind(self) -> str:
        return "classification_binary" if isinstance(self.score, str) else "classification_multiclass"

    @property
    def columns(self) -> list[str]:
        scores = [self.score] if isinstance(self.score, str) else list(self.score.values())
        return [*scores, self.prediction, self.label]


CARDS = ("prepaid_card", "highstreet_card", "upmarket_card")
CASES = (
    Case(
        "car loan",
        (
            "synthetic_car_loan_reference.csv",
            "synthetic_car_loan_analysis.csv",
            "synthetic_car_loan_analysis_target.csv",
        ),
        "y_pred_proba",
        "y_pred",
        "repaid",
    ),
    Case(
        "US census, employment in Massachusetts",
        ("employment_MA_reference.pq", "employment_MA_analysis.pq", "employment_MA_analysis_target.pq"),
        "predicted_probability",
        "prediction",
        "employed",
    ),
    Case(
        "credit cards, three classes",
        ("mc_reference.csv", "mc_analysis.csv", "mc_analysis_gt.csv"),
        {name: f"y_pred_proba_{name}" for name in CARDS},
        "y_pred",
        "y_true",
    ),
)


def read(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_parquet(folder / name) if name.endswith(".pq") else pd.read_csv(folder / name)


def load(folder: Path, case: Case) -> tuple[pd.DataFrame, pd.DataFrame]:
    reference, analysis, target = (read(folder, name) for name in case.files)
    return reference, analysis.merge(target, on="id")


def drift(folder: Path) -> None:
    reference, analysis = load(folder, CASES[0])
    baseline = make_baseline(reference[[*DRIFTED, *CLEAN]])
    random = np.random.default_rng(0)
    late = analysis.iloc[len(analysis) // 2 :]
    hits = dict.fromkeys((*DRIFTED, *CLEAN), 0)
    for _ in range(WINDOWS):
        for name in monitor(baseline, late.iloc[random.choice(len(late), 500, replace=False)]).flagged:
            hits[name] += 1
    print(f"Car loan, second half, {WINDOWS:,} windows of 500 rows: share that flags each column")
    print("| column | truth | flagged |\n|---|---|---|")
    for name, count in hits.items():
        print(f"| {name} | {'drifted' if name in DRIFTED else 'clean'} | {count / WINDOWS:.4f} |")


def estimates(folder: Path, interpreter: str, case: Case) -> None:
    reference, analysis = load(folder, case)
    with tempfile.TemporaryDirectory() as scratch:
        reference[case.columns].to_csv(f"{scratch}/reference.csv", index=False)
        analysis[case.columns].to_csv(f"{scratch}/analysis.csv", index=False)
        arguments = [scratch, case.kind, repr(case.score), case.prediction, case.label]
        subprocess.run([interpreter, "-c", NANNYML, *arguments], check=True, capture_output=True)
        theirs = pd.read_csv(f"{scratch}/estimates.csv")
    roles = {"prediction": case.prediction, "score": case.score, "label": case.label}
    baseline = make_baseline(reference[case.columns], **roles)
    errors: dict[str, list[tuple[float, float]]] = {metric: [] for metric in METRICS}
    for row in theirs.itertuples():
        document = monitor(baseline, analysis[case.columns].iloc[int(row.start) : int(row.end) + 1]).to_dict()
        for metric in METRICS:
            truth = document["observed"][metric]["value"]
            ours = document["estimated"][metric]["value"]
            errors[metric].append((abs(ours - truth), abs(getattr(row, metric) - truth)))
    for metric in METRICS:
        ours, nannyml = np.mean(errors[metric], axis=0)
        print(f"| {case.name} | {metric} | {len(theirs)} | {ours:.5f} | {nannyml:.5f} |")


def main() -> None:
    interpreter = sys.argv[1]
    script = "import importlib.util; print(importlib.util.find_spec('nannyml').origin)"
    found = subprocess.run([interpreter, "-c", script], check=True, capture_output=True, text=True)
    folder = Path(found.stdout.strip()).parent / "datasets" / "data"
    drift(folder)
    print("\nEstimated against realised performance, mean absolute error over chunks of 5,000 rows")
    print("| data | metric | chunks | lightship | NannyML |\n|---|---|---|---|---|")
    for case in CASES:
        estimates(folder, interpreter, case)


if __name__ == "__main__":
    main()
