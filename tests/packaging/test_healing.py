"""What slimming left out and the artifact needs is put back, and nothing else."""

import base64
import hashlib
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from lightship.healing import Search, smallest
from lightship.loading import loaded_object
from lightship.plan import make_plan
from lightship.release_folder import draft
from lightship.steps.build import Build
from lightship.steps.identify import identify
from lightship.steps.realtime import REALTIME, build_realtime, prove_realtime
from lightship.steps.resolve import resolve_wheels
from lightship.steps.study import study_model
from lightship_runtime.errors import LightshipError


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.integers(1, 3000), st.data())
def test_the_smallest_part_is_found_in_a_few_tries(count: int, data: st.DataObject) -> None:
    needed = data.draw(st.sets(st.integers(0, count - 1), min_size=1, max_size=3))
    tries = 0

    def works(items: Sequence[int]) -> bool:
        nonlocal tries
        tries += 1
        return needed <= set(items)

    assert sorted(smallest(works, range(count))) == sorted(needed)
    assert tries <= 2 * len(needed) * (1 + np.log2(count)) + 1
    # Where the tries run out, what is needed is still among what stays.
    left = 5

    def more() -> bool:
        nonlocal left
        left -= 1
        return left > 0

    assert needed <= set(smallest(works, range(count), more=more))


@pytest.mark.parametrize("telling", [True, False])
def test_rules_are_searched_before_files(tmp_path: Path, telling: bool) -> None:
    """A failure that names the files leads straight to them; one that doesn't is searched by halving."""
    whole, root = tmp_path / "whole", tmp_path / "task"
    root.mkdir()
    for name in ["a/data.h", "b/tests/code.py", *(f"c/tests/{i}.txt" for i in range(200)), "c/deep/notes.md"]:
        (whole / name).parent.mkdir(parents=True, exist_ok=True)
        (whole / name).touch()

    def trial(folder: Path) -> None:
        for name in ("a/data.h", "c/tests/77.txt"):
            if not (folder / name).exists():
                raise LightshipError(f"no file {name}" if telling else "it doesn't start")

    said: list[str] = []
    found = Search(root, whole, trial, said.append).run(LightshipError("no file a/data.h" if telling else "broken"))
    assert sorted(each.file for each in found) == ["a/data.h", "c/tests/77.txt"]
    assert {each.rule for each in found} == {"extension sources", "tests"}
    assert len(said) <= (5 if telling else 30)
    assert list(root.iterdir()) == []

    def never(folder: Path) -> None:
        raise LightshipError(f"{folder.name} is broken anyway")

    with pytest.raises(LightshipError, match="the first failure"):
        Search(root, whole, never, said.append).run(LightshipError("the first failure"))


LIBRARY = {
    "tinytowns/__init__.py": (
        "from importlib.resources import files\n"
        "_ROWS = files(__name__).joinpath('include', 'table.txt').read_text().splitlines()\n"
        "DISTANCES = {name: float(value) for name, value in (row.split() for row in _ROWS)}\n"
    ),
    "tinytowns/include/table.txt": "Oslo 3\nLima 8.5\n",
    "tinytowns/include/unused.txt": "not read",
    "tinytowns/tests/test_nothing.py": "",
    "tinytowns-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tinytowns\nVersion: 1.0\n",
    "tinytowns-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
FEATURES = "from tinytowns import DISTANCES\n\ndef preprocess(row):\n    return {'far': DISTANCES[row['town']]}\n"


def wheel(folder: Path) -> str:
    """Write the library as a wheel into the folder; the locked requirement that names it."""
    path = folder / "tinytowns-1.0-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(path, "w") as out:
        for name, text in LIBRARY.items():
            out.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        out.writestr("tinytowns-1.0.dist-info/RECORD", f"{record}tinytowns-1.0.dist-info/RECORD,,\n")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"tinytowns @ {path.as_uri()} --hash=sha256:{digest}\n"


@pytest.mark.slow
def test_a_data_file_that_a_rule_names_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirement = wheel(tmp_path)
    with zipfile.ZipFile(tmp_path / "tinytowns-1.0-py3-none-any.whl") as content:
        content.extractall(tmp_path / "installed")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "installed")])
    module = tmp_path / "towns_features.py"
    module.write_text(FEATURES)
    sample = pd.DataFrame({"town": ["Oslo", "Lima"] * 30})
    inner = pd.DataFrame({"far": sample["town"].map({"Oslo": 3.0, "Lima": 8.5})})
    model = LogisticRegression().fit(inner, inner["far"] > 5)
    plan = make_plan(out=tmp_path / "out", name="healed", engine="pure", module=module)
    said: list[str] = []
    with draft(plan.out / plan.name) as folder:
        build = Build(plan, folder, said.append, (loaded_object(model), sample, None))
        study_model(build)
        resolve_wheels(build)
        build.requirements["realtime"] += requirement
        identify(build)
        build_realtime(build)
        before = build.artifacts["realtime"]
        prove_realtime(build)
        assert build.proven.proof.grade == "exact"
        (found,) = build.put_back["realtime"]
        assert (found.file, found.rule) == ("tinytowns/include/table.txt", "headers")
        with zipfile.ZipFile(folder / REALTIME) as content:
            names = content.namelist()
        assert "tinytowns/include/table.txt" in names
        assert not [name for name in names if "unused" in name or "tinytowns/tests" in name]
        assert build.artifacts["realtime"].sha256 != before.sha256
        assert len([line for line in said if line.startswith("finding what slimming must leave")]) <= 3
