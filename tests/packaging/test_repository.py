"""What the repository's layout promises."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "lightship": ROOT / "packaging" / "lightship",
    "lightship_runtime": ROOT / "handlers" / "lightship_runtime",
    "lightship_cdk": ROOT / "cdk" / "lightship_cdk",
}
MAY_IMPORT = {"lightship": {"lightship_runtime"}, "lightship_cdk": {"lightship_runtime"}, "lightship_runtime": set()}


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


def test_no_source_root_or_test_folder_shadows_an_installed_package() -> None:
    roots = [ROOT / name / "__init__.py" for name in ("packaging", "handlers", "cdk", "tests")]
    assert [path for path in (*roots, *(ROOT / "tests").rglob("__init__.py")) if path.exists()] == []


@pytest.mark.parametrize("package", SOURCES)
def test_imports_point_one_way(package: str) -> None:
    ours = set(SOURCES)
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in SOURCES[package].rglob("*.py")
        if (found := (imports_of(path) & ours) - MAY_IMPORT[package] - {package})
    }
    assert wrong == {}


def test_every_version_is_pinned_and_no_lock_names_a_host() -> None:
    for lock in (ROOT / "requirements/dev.txt", ROOT / "packaging/lightship/locks/runtime.txt"):
        text = lock.read_text()
        assert "://" not in text
        pins = [line for line in text.splitlines() if re.match(r"^[A-Za-z0-9]", line)]
        assert all("==" in line for line in pins)
        assert text.count("--hash=sha256:") >= len(pins)
    assert '"resolved"' not in (ROOT / "package-lock.json").read_text()


def test_the_commands_in_the_readme_exist() -> None:
    from lightship.cli.main import cli

    text = (ROOT / "README.md").read_text()
    named = set(re.findall(r"lightship (init|package|check|inspect|prove|serve|[a-z]+)\b(?= [A-Z./-]|`|\n)", text))
    known = set(cli.commands)
    assert named & {"package", "serve"}
    assert {name for name in named if name not in known} == set()
