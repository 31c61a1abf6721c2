"""The bill of materials: sbom.cdx.json, CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/).

Read back from the finished zips, so that it lists what ships, not what was asked for. The same release gives the same
bytes: no time, and a serial number that follows from the release and its zips.
"""

import email
import hashlib
import re
import uuid
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from lightship.lending import Lent
from lightship.wheels import distribution, locked_hashes
from lightship_runtime.contract import Contract
from lightship_runtime.documents import dump_document
from lightship_runtime.manifest import Engines, Target

SBOM = "sbom.cdx.json"
# https://peps.python.org/pep-0639/ deprecates these classifiers; only the unambiguous ones have an SPDX name.
CLASSIFIERS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
LENT_LICENCES = {"libgomp.so.1": "GPL-3.0-or-later WITH GCC-exception-3.1"}
_TASKS = {"outlier": "unsupervised", "clustering": "unsupervised", "transform": "unsupervised"}

type Document = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """The release that the bill is of, as far as it is known before it is sealed."""

    name: str
    version: str
    lightship: str
    target: Target
    engines: Engines
    contract: Contract
    lent: tuple[Lent, ...] = ()


def make_sbom(subject: Subject, archives: Mapping[str, Path], lock: str) -> bytes:
    """The bill of these zips, by the use they are for. `lock` gives the distributions' accepted file hashes."""
    hashes = locked_hashes(lock)
    parts: dict[str, Document] = {}
    wants: dict[str, set[str]] = {}
    for archive in archives.values():
        with zipfile.ZipFile(archive) as content:
            # Another zip may hold another version of what is wanted here.
            here = {distribution(each["Name"]): each for each in _distributions(content)}
            for name, metadata in here.items():
                part = _package(metadata, hashes.get((name, metadata["Version"]), ()))
                parts[part["bom-ref"]] = part
                wanted = {distribution(each) for each in _required(metadata)} - {name}
                wants.setdefault(part["bom-ref"], set()).update(_purl(here[each]) for each in wanted & here.keys())
            for lent in subject.lent:
                if lent.file in content.namelist():
                    parts[f"lent:{lent.file}"] = _borrowed(lent, content.read(lent.file))
    parts[f"pkg:pypi/lightship@{subject.lightship}"] = _runtime(subject)
    model = _model(subject, archives)
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{_serial(subject, archives)}",
        "version": 1,
        "metadata": {
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [{"type": "application", "name": "lightship", "version": subject.lightship}]},
            "component": _release(subject, archives),
        },
        "components": [model, *(parts[ref] for ref in sorted(parts))],
        "dependencies": _graph(model["bom-ref"], sorted(parts), wants),
    }
    return dump_document(document)


def _release(subject: Subject, archives: Mapping[str, Path]) -> Document:
    return {
        "type": "application",
        "bom-ref": "release",
        "name": subject.name,
        "version": subject.version,
        "components": [
            {
                "type": "file",
                "bom-ref": f"file:{archive.name}",
                "name": archive.name,
                "hashes": [_hash(archive.read_bytes())],
            }
            for archive in archives.values()
        ],
        "properties": [
            {"name": "lightship:python", "value": subject.target.python},
            {"name": "lightship:architecture", "value": subject.target.architecture},
        ],
    }


def _distributions(content: zipfile.ZipFile) -> Iterator[Message]:
    for name in sorted(content.namelist()):
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
            yield email.message_from_bytes(content.read(name))


def _purl(metadata: Message) -> str:
    return f"pkg:pypi/{distribution(metadata['Name'])}@{metadata['Version']}"


def _package(metadata: Message, hashes: Sequence[str]) -> Document:
    name, purl = distribution(metadata["Name"]), _purl(metadata)
    part: Document = {"type": "library", "bom-ref": purl, "name": name, "version": metadata["Version"], "purl": purl}
    if summary := metadata["Summary"]:
        part["description"] = str(summary)
    if licences := _licences(metadata):
        part["licenses"] = licences
    if hashes:
        part["externalReferences"] = [
            {
                "type": "distribution",
                "url": purl,
                "comment": "The lock accepts a file with any of these digests.",
                "hashes": [{"alg": "SHA-256", "content": each} for each in hashes],
            }
        ]
    return part


def _licences(metadata: Message) -> list[Document]:
    """An SPDX expression, else what the classifiers or the free text name, unless the text is a whole licence."""
    if expression := metadata["License-Expression"]:
        return [{"expression": str(expression)}]
    classifiers = [each.split(" :: ")[-1] for each in metadata.get_all("Classifier", []) if "License ::" in each]
    names = [name for name in classifiers if name != "OSI Approved"]
    text = str(metadata["License"] or "").strip()
    if not names and text and len(text) <= 80 and "\n" not in text:
        names = [text]
    return [{"license": {"id": CLASSIFIERS[name]} if name in CLASSIFIERS else {"name": name}} for name in names]


def _required(metadata: Message) -> Iterator[str]:
    for line in metadata.get_all("Requires-Dist", []):
        if "extra ==" not in line:
            yield line


def _borrowed(lent: Lent, content: bytes) -> Document:
    lender, _, version = lent.requirement.partition("==")
    name = Path(lent.file).name
    part: Document = {
        "type": "library",
        "bom-ref": f"lent:{lent.file}",
        "name": name,
        "hashes": [_hash(content)],
        "description": f"A copy of {lent.original}, which {lent.wanted_by} needs.",
        "pedigree": {
            "ancestors": [
                {"type": "library", "name": lender, "version": version, "purl": f"pkg:pypi/{lender}@{version}"}
            ]
        },
    }
    if name in LENT_LICENCES:
        part["licenses"] = [{"expression": LENT_LICENCES[name]}]
    return part


def _runtime(subject: Subject) -> Document:
    purl = f"pkg:pypi/lightship@{subject.lightship}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": "lightship",
        "version": subject.lightship,
        "purl": purl,
        "description": "The runtime that answers requests.",
        "licenses": [{"expression": "Apache-2.0"}],
    }


def _model(subject: Subject, archives: Mapping[str, Path]) -> Document:
    output = subject.contract.output
    card = {
        "modelParameters": {
            "approach": {"type": _TASKS.get(output.task, "supervised")},
            "task": output.task,
            "inputs": [{"format": f"{column.name}: {column.type}"} for column in subject.contract.columns],
            "outputs": [{"format": output.task}],
        }
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": "model",
        "name": subject.name,
        "version": subject.version,
        "description": f"Answered by the {subject.engines.request} engine, in batches by {subject.engines.batch}.",
        "components": [_file(use, name, content) for use, name, content in _model_files(archives)],
        "modelCard": card,
    }


def _model_files(archives: Mapping[str, Path]) -> Iterator[tuple[str, str, bytes]]:
    for use, archive in archives.items():
        with zipfile.ZipFile(archive) as content:
            for name in sorted(content.namelist()):
                if name.startswith("model/"):
                    yield use, name, content.read(name)


def _file(use: str, name: str, content: bytes) -> Document:
    return {"type": "file", "bom-ref": f"{use}:{name}", "name": name, "hashes": [_hash(content)]}


def _graph(model: str, parts: Sequence[str], wants: Mapping[str, set[str]]) -> list[Document]:
    """Who needs whom, among what is in one zip together: a requirement that it doesn't meet (an extra, another system)
    is left out."""
    graph: list[Document] = [{"ref": "release", "dependsOn": [model, *parts]}, {"ref": model}]
    for ref in parts:
        needed = sorted(wants.get(ref, ()))
        graph.append({"ref": ref, "dependsOn": needed} if needed else {"ref": ref})
    return graph


def _serial(subject: Subject, archives: Mapping[str, Path]) -> uuid.UUID:
    digests = [hashlib.sha256(archive.read_bytes()).hexdigest() for archive in archives.values()]
    return uuid.uuid5(uuid.NAMESPACE_OID, "/".join(("lightship", subject.name, subject.version, *digests)))


def _hash(content: bytes) -> Document:
    return {"alg": "SHA-256", "content": hashlib.sha256(content).hexdigest()}
