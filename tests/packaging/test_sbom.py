"""The bill of materials of zips that are made here: complete, valid, and the same bytes each time."""

import hashlib
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightship.lending import Lent
from lightship.sbom import Subject, make_sbom
from lightship.targets import make_target
from lightship_runtime.contract import Column, Contract, Output
from lightship_runtime.manifest import Engines

LOCK = f"""numpy==2.5.5 \\
    --hash=sha256:{"a" * 64} \\
    --hash=sha256:{"b" * 64}
lightgbm==4.7.0 \\
    --hash=sha256:{"c" * 64}
"""
NUMPY = """Metadata-Version: 2.4
Name: numpy
Version: 2.5.5
Summary: Arrays
License-Expression: BSD-3-Clause AND MIT

Long text
License-Expression: not a header
"""
LIGHTGBM = """Metadata-Version: 2.1
Name: LightGBM
Version: 4.7.0
License: The whole licence,
        on several lines
Classifier: License :: OSI Approved :: MIT License
Requires-Dist: numpy>=1.17
Requires-Dist: scipy
Requires-Dist: pandas; extra == "pandas"
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "realtime.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("numpy-2.5.5.dist-info/METADATA", NUMPY)
        out.writestr("lightgbm-4.7.0.dist-info/METADATA", LIGHTGBM)
        out.writestr("numpy/tests/other.dist-info/METADATA", "Name: not-installed\nVersion: 1\n")
        out.writestr("lib/libgomp.so.1", b"machine code")
        out.writestr("model/model.txt", b"tree")
    return path


SUBJECT = Subject(
    name="delay",
    version="0123456789abcdef",
    lightship="0.1.0",
    target=make_target("3.13", "arm64"),
    engines=Engines("native", "array"),
    contract=Contract(
        (Column("a", "number", "float64"), Column("b", "category", "str", categories=("secret person",))),
        Output("binary", (False, True), probabilities=True),
    ),
    lent=(Lent("lib/libgomp.so.1", "libgomp-e985.so.1.0.0", "scikit-learn==1.9.1", "lightgbm/lib/lib_lightgbm.so"),),
)


def bill(archive: Path, subject: Subject = SUBJECT) -> dict[str, Any]:
    return dict(json.loads(make_sbom(subject, {"realtime": archive}, LOCK)))


def component(document: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [each for each in document["components"] if each["name"] == name]
    return dict(found)


def test_distributions_are_listed_with_versions_purls_hashes_and_licences(archive: Path) -> None:
    document = bill(archive)
    numpy, lightgbm = component(document, "numpy"), component(document, "lightgbm")
    assert numpy["purl"] == "pkg:pypi/numpy@2.5.5"
    assert numpy["licenses"] == [{"expression": "BSD-3-Clause AND MIT"}]
    (reference,) = numpy["externalReferences"]
    assert [each["content"] for each in reference["hashes"]] == ["a" * 64, "b" * 64]
    assert lightgbm["licenses"] == [{"license": {"id": "MIT"}}]
    assert not [each for each in document["components"] if each["name"] == "not-installed"]


def test_the_model_is_a_component_with_its_files_and_no_data(archive: Path) -> None:
    model = component(bill(archive), "delay")
    assert model["type"] == "machine-learning-model"
    (file,) = model["components"]
    assert file["hashes"] == [{"alg": "SHA-256", "content": hashlib.sha256(b"tree").hexdigest()}]
    assert model["modelCard"]["modelParameters"]["task"] == "binary"
    assert "secret person" not in json.dumps(model)


def test_a_borrowed_library_names_its_lender_and_its_own_licence(archive: Path) -> None:
    libgomp = component(bill(archive), "libgomp.so.1")
    assert libgomp["hashes"][0]["content"] == hashlib.sha256(b"machine code").hexdigest()
    assert libgomp["pedigree"]["ancestors"][0]["purl"] == "pkg:pypi/scikit-learn@1.9.1"
    assert libgomp["licenses"] == [{"expression": "GPL-3.0-or-later WITH GCC-exception-3.1"}]


def test_dependencies_hold_what_is_in_the_zip_and_nothing_else(archive: Path) -> None:
    document = bill(archive)
    graph = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert graph["pkg:pypi/lightgbm@4.7.0"] == ["pkg:pypi/numpy@2.5.5"]
    assert set(graph["release"]) == {each["bom-ref"] for each in document["components"]}


def test_each_zip_is_billed_with_the_versions_of_its_own(archive: Path, tmp_path: Path) -> None:
    monitor = tmp_path / "monitor.zip"
    with zipfile.ZipFile(monitor, "w") as out:
        out.writestr("numpy-2.6.0.dist-info/METADATA", NUMPY.replace("2.5.5", "2.6.0"))
        out.writestr("model/baseline.json", b"bins")
    lock = LOCK + f"numpy==2.6.0 \\\n    --hash=sha256:{'d' * 64}\n"
    document = json.loads(make_sbom(SUBJECT, {"realtime": archive, "monitor": monitor}, lock))
    numpy = {each["version"]: each for each in document["components"] if each["name"] == "numpy"}
    hashes = {
        version: [digest["content"] for digest in each["externalReferences"][0]["hashes"]]
        for version, each in numpy.items()
    }
    assert hashes == {"2.5.5": ["a" * 64, "b" * 64], "2.6.0": ["d" * 64]}
    graph = {each["ref"]: each.get("dependsOn", []) for each in document["dependencies"]}
    assert graph["pkg:pypi/lightgbm@4.7.0"] == ["pkg:pypi/numpy@2.5.5"]
    assert {"pkg:pypi/numpy@2.5.5", "pkg:pypi/numpy@2.6.0"} <= set(graph["release"])
    files = [each["bom-ref"] for each in component(document, "delay")["components"]]
    assert files == ["realtime:model/model.txt", "monitor:model/baseline.json"]


def test_the_same_release_gives_the_same_bytes_and_another_zip_another_serial(archive: Path) -> None:
    first = make_sbom(SUBJECT, {"realtime": archive}, LOCK)
    assert make_sbom(SUBJECT, {"realtime": archive}, LOCK) == first
    with zipfile.ZipFile(archive, "a") as out:
        out.writestr("more.txt", "x")
    assert bill(archive)["serialNumber"] != json.loads(first)["serialNumber"]
    assert bill(archive, replace(SUBJECT, version="f" * 16))["serialNumber"] != bill(archive)["serialNumber"]


def test_the_bill_keeps_the_rules_of_cyclonedx_that_matter_most(archive: Path) -> None:
    text = make_sbom(SUBJECT, {"realtime": archive}, LOCK).decode()
    document = json.loads(text)
    assert document["bomFormat"] == "CycloneDX"
    assert document["specVersion"] == "1.6"
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", document["serialNumber"]
    )
    refs = re.findall(r'"bom-ref":"([^"]+)"', text)
    assert len(refs) == len(set(refs))
    known = set(refs)
    for entry in document["dependencies"]:
        assert entry["ref"] in known
        assert set(entry.get("dependsOn", ())) <= known
    for each in document["components"]:
        assert each["type"] in {"library", "machine-learning-model"}
    assert "timestamp" not in text


def test_the_bill_is_valid_by_the_schema(archive: Path) -> None:
    text = make_sbom(SUBJECT, {"realtime": archive}, LOCK).decode()
    validator = pytest.importorskip("cyclonedx.validation.json", reason="the schema's package isn't installed")
    from cyclonedx.schema import SchemaVersion

    assert validator.JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
