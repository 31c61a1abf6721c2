"""What is left out of an artifact, by rules with names. No file goes that no rule names.

The proof boots what is left; a rule that breaks a package shows there, and what is needed is put back (healing.py).
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lightship.stripping import strip_symbols


@dataclass(frozen=True, slots=True)
class Rule:
    """Leaves out the files whose path in the artifact matches, but for those that `keep` matches."""

    name: str
    pattern: re.Pattern[str]
    keep: re.Pattern[str] | None = None

    def drops(self, path: str) -> bool:
        return bool(self.pattern.search(path)) and not (self.keep and self.keep.search(path))


def _rule(name: str, pattern: str, keep: str | None = None) -> Rule:
    return Rule(name, re.compile(pattern), re.compile(keep) if keep else None)


RULES: tuple[Rule, ...] = (
    # numpy.testing and pandas._testing are imported by scipy, scikit-learn and pandas themselves.
    _rule("tests", r"(^|/)(tests|_tests)/", keep=r"(^|/)conftest\.py$|^numpy/_core/tests/_natype\.py$"),
    _rule("stubs", r"\.pyi$|(^|/)py\.typed$"),
    _rule("extension sources", r"\.(pyx|pxd|pxi|c|cc|cpp|h|hpp|f|f90|pyf|tp|src|in|build)$", keep=r"\.dist-info/"),
    _rule("documentation", r"\.(md|rst)$", keep=r"\.dist-info/"),
    _rule("headers", r"(^|/)include/"),
    _rule("commands", r"^bin/"),
    _rule("static libraries", r"\.(a|la|lib)$"),
    _rule("installer's records", r"\.dist-info/(RECORD|INSTALLER|REQUESTED|WHEEL|direct_url\.json|uv_cache\.json)$"),
    _rule("installer's metadata", r"\.dist-info/(top_level\.txt|sboms/.*)$"),
    _rule("data sets", r"^sklearn/datasets/(data|images|descr)/"),
    _rule("machine-learning examples", r"^(onnxruntime)/(transformers|tools|quantization|datasets)/"),
    # Batches read and write CSV and Parquet; objects come over boto3. The rest of Arrow links to none of these.
    _rule(
        "Arrow's other services",
        r"^pyarrow/(lib(arrow_flight|arrow_s3|arrow_python_flight|arrow_python_parquet_encryption)\."
        r"|_(flight|s3fs|gcsfs|azurefs|hdfs|orc|dataset_orc|parquet_encryption|dataset_parquet_encryption|pyarrow_cpp_tests)\.)",
    ),
    # The wheel holds each library once for every name that a symbolic link would give it.
    _rule("Arrow's copies", r"^pyarrow/lib\w+\.so(\.\d+\.\d+\.\d+)?$"),
    _rule("command-line tools", r"^fastapi/(cli|__main__)\.py$"),
)  # fmt: skip


def dropped(root: Path) -> Iterator[tuple[Path, Rule]]:
    """The files under `root` that a rule leaves out, with that rule."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            relative = str(PurePosixPath(path.relative_to(root).as_posix()))
            for rule in RULES:
                if rule.drops(relative):
                    yield path, rule
                    break


def slim(root: Path, keep: Collection[str] = ()) -> dict[str, int]:
    """Remove what the rules name but for the paths of `keep`, and strip what is left; the bytes saved by each."""
    saved: dict[str, int] = {}
    for path, rule in list(dropped(root)):
        if path.relative_to(root).as_posix() in keep:
            continue
        saved[rule.name] = saved.get(rule.name, 0) + path.stat().st_size
        path.unlink()
    if stripped := sum(strip_symbols(path) for path in root.rglob("*.so*") if path.is_file()):
        saved["symbols"] = stripped
    for folder in sorted((each for each in root.rglob("*") if each.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()
    return saved
