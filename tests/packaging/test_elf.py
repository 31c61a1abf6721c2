"""What is read of ELF files, and an artifact's machine code against what Lambda has: on hand-made files, damaged ones,
and the real ones that wheels brought here."""

import contextlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightship.binaries import BinaryError, check_binaries
from lightship.elf import ElfError, parse_elf, read_elf
from lightship.lending import LENDERS, lend
from lightship.targets import make_target
from lightship.wheels import pinned_lines
from lightship_runtime.manifest import Target

_HEADER, _SEGMENT = 64, 56


class _Strings:
    def __init__(self) -> None:
        self.data = b"\0"

    def add(self, text: str) -> int:
        at = len(self.data)
        self.data += text.encode() + b"\0"
        return at


def elf_bytes(
    *,
    machine: int = 62,
    needed: Sequence[str] = (),
    soname: str | None = None,
    runpath: str | None = None,
    requires: Mapping[str, Sequence[str]] | None = None,
    weak: Sequence[str] = (),
    defines: Sequence[str] = (),
) -> bytes:
    """A shared library that says these things and holds no code."""
    strings = _Strings()
    entries = [(1, strings.add(name)) for name in needed]
    if soname is not None:
        entries.append((14, strings.add(soname)))
    if runpath is not None:
        entries.append((29, strings.add(runpath)))
    verneed = _verneed(requires or {}, weak, strings)
    verdef = _verdef(defines, strings)
    start = _HEADER + 2 * _SEGMENT
    places = [start, start + len(strings.data), start + len(strings.data) + len(verneed)]
    entries += [(5, places[0]), (10, len(strings.data))]
    if requires:
        entries += [(0x6FFFFFFE, places[1]), (0x6FFFFFFF, len(requires))]
    if defines:
        entries += [(0x6FFFFFFC, places[2]), (0x6FFFFFFD, len(defines))]
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in [*entries, (0, 0)])
    at = places[2] + len(verdef)
    size = at + len(dynamic)
    header = b"\x7fELF\x02\x01\x01" + bytes(9)
    header += struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, _HEADER, 0, 0, _HEADER, _SEGMENT, 2, 64, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, size, size, 4096)
    table = struct.pack("<IIQQQQQQ", 2, 6, at, at, at, len(dynamic), len(dynamic), 8)
    return header + load + table + strings.data + verneed + verdef + dynamic


def write_elf(path: Path, **says: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(elf_bytes(**says))  # type: ignore[arg-type]
    return path


def _verneed(requires: Mapping[str, Sequence[str]], weak: Sequence[str], strings: _Strings) -> bytes:
    data = b""
    for index, (library, versions) in enumerate(requires.items()):
        last = index == len(requires) - 1
        step = 0 if last else 16 + 16 * len(versions)
        data += struct.pack("<HHIII", 1, len(versions), strings.add(library), 16, step)
        for place, version in enumerate(versions):
            following = 0 if place == len(versions) - 1 else 16
            data += struct.pack("<IHHII", 0, 2 if version in weak else 0, 2, strings.add(version), following)
    return data


def _verdef(defines: Sequence[str], strings: _Strings) -> bytes:
    data = b""
    for index, version in enumerate(defines):
        step = 0 if index == len(defines) - 1 else 28
        data += struct.pack("<HHHHIII", 1, 0, index + 1, 1, 0, 20, step) + struct.pack("<II", strings.add(version), 0)
    return data


def test_what_a_library_says_is_read() -> None:
    data = elf_bytes(
        machine=183,
        needed=("libc.so.6", "liba.so"),
        soname="libme.so.1",
        runpath="$ORIGIN/../me.libs:/opt",
        requires={"libc.so.6": ("GLIBC_2.17", "GLIBC_2.34"), "liba.so": ("A_1", "A_2")},
        weak=("A_2",),
        defines=("libme.so.1", "ME_1.0"),
    )
    elf = parse_elf(data, "me.so")
    assert elf.machine == "arm64"
    assert elf.needed == ("libc.so.6", "liba.so")
    assert elf.soname == "libme.so.1"
    assert elf.runpath == ("$ORIGIN/../me.libs", "/opt")
    assert elf.versions == (("libc.so.6", ("GLIBC_2.17", "GLIBC_2.34")), ("liba.so", ("A_1",)))
    assert elf.defines == {"libme.so.1", "ME_1.0"}


def test_an_unknown_machine_is_named_by_its_number() -> None:
    assert parse_elf(elf_bytes(machine=243), "riscv.so").machine == "machine 243"


def test_a_file_of_another_kind_is_not_elf(tmp_path: Path) -> None:
    for content in (b"", b"\x7fEL", b"import numpy", b"\xcf\xfa\xed\xfe" + bytes(60)):
        path = tmp_path / "file.so"
        path.write_bytes(content)
        assert read_elf(path) is None


FULL = elf_bytes(needed=("libc.so.6",), runpath="$ORIGIN", requires={"libc.so.6": ("GLIBC_2.2.5",)}, defines=("X",))


@pytest.mark.parametrize("length", [4, 5, 17, 40, 63, 64, 100, 175, 200, len(FULL) - 40])
def test_a_file_cut_short_is_an_error_that_says_what_to_do(length: int) -> None:
    with pytest.raises(ElfError, match=r"cut\.so is a damaged ELF file .* Fetch its wheel again"):
        parse_elf(FULL[:length], "cut.so")


def test_32_bit_and_big_endian_files_are_refused() -> None:
    for place, value in ((4, 1), (5, 2)):
        data = bytearray(FULL)
        data[place] = value
        with pytest.raises(ElfError, match="64-bit little-endian"):
            parse_elf(bytes(data), "other.so")


def test_a_count_of_versions_that_cannot_be_is_refused() -> None:
    data = FULL.replace(struct.pack("<QQ", 0x6FFFFFFF, 1), struct.pack("<QQ", 0x6FFFFFFF, 2**40))
    with pytest.raises(ElfError, match="1099511627776 versions"):
        parse_elf(data, "many.so")


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(4, len(FULL) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damage_is_an_elf_error_or_a_reading(changes: list[tuple[int, int]]) -> None:
    data = bytearray(FULL)
    for place, value in changes:
        data[place] = value
    with contextlib.suppress(ElfError):
        assert parse_elf(bytes(data), "fuzzed.so").machine


@pytest.mark.parametrize("module", ["numpy._core._multiarray_umath", "sklearn.utils._openmp_helpers", "math"])
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("readelf"), reason="compares with binutils' readelf")
def test_real_files_are_read_as_readelf_reads_them(module: str) -> None:
    spec = find_spec(module)
    assert spec is not None
    if not spec.origin or not spec.origin.endswith(".so"):
        pytest.skip(f"{module} is built into this Python")
    elf = read_elf(Path(spec.origin))
    assert elf is not None
    dynamic = subprocess.run(["readelf", "-dW", spec.origin], capture_output=True, text=True, check=True).stdout
    assert list(elf.needed) == [line.split("[")[1][:-1] for line in dynamic.splitlines() if "(NEEDED)" in line]
    paths = [line.split("[")[1][:-1] for line in dynamic.splitlines() if "(RUNPATH)" in line or "(RPATH)" in line]
    assert ":".join(elf.runpath) == "".join(paths)
    versions = subprocess.run(["readelf", "-VW", spec.origin], capture_output=True, text=True, check=True).stdout
    needs = versions.split("Version needs section")[-1]
    names = {line.split("Name: ")[1].split()[0] for line in needs.splitlines() if "Name: " in line}
    assert {name for _, wanted in elf.versions for name in wanted} == names


X86 = make_target("3.13", "x86_64")
ARM = make_target("3.13", "arm64")
BASE = {"needed": ("libc.so.6",), "requires": {"libc.so.6": ("GLIBC_2.17",)}}


def refusal(root: Path, target: Target = X86) -> str:
    with pytest.raises(BinaryError) as caught:
        check_binaries(root, target)
    return str(caught.value)


def test_what_fits_is_counted(tmp_path: Path) -> None:
    write_elf(
        tmp_path / "a/x.so", needed=("libc.so.6", "libm.so.6"), requires={"libm.so.6": ("GLIBC_2.29", "GLIBC_2.4")}
    )
    write_elf(tmp_path / "a/y.so", **BASE)
    (tmp_path / "a/z.py").write_text("pass")
    found = check_binaries(tmp_path, X86)
    assert found.files == 2
    assert found.glibc == "2.29"
    assert found.libraries == ("libc.so.6", "libm.so.6")


def test_an_artifact_of_pure_python_fits_everywhere(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("pass")
    assert check_binaries(tmp_path, ARM).files == 0


def test_code_for_another_machine_is_refused(tmp_path: Path) -> None:
    write_elf(tmp_path / "pkg/x.so", **BASE)
    assert "pkg/x.so is for x86_64, not arm64" in refusal(tmp_path, ARM)


def test_a_newer_glibc_is_refused_and_the_limit_itself_is_not(tmp_path: Path) -> None:
    write_elf(tmp_path / "x.so", needed=("libc.so.6",), requires={"libc.so.6": ("GLIBC_2.34",)})
    check_binaries(tmp_path, X86)
    write_elf(tmp_path / "y.so", needed=("libc.so.6",), requires={"libc.so.6": ("GLIBC_2.35", "GLIBC_2.4")})
    said = refusal(tmp_path)
    assert "y.so wants GLIBC_2.35 of libc.so.6" in said
    assert "Pin an older version" in said


@pytest.mark.parametrize(
    ("library", "version"),
    [
        ("libstdc++.so.6", "GLIBCXX_3.4.30"),
        ("libstdc++.so.6", "CXXABI_1.3.14"),
        ("libgcc_s.so.1", "GCC_12.0.0"),
        ("libc.so.6", "GLIBC_PRIVATE"),
        ("libc.so.6", "GLIBC_ABI_DT_RELR"),
        ("libc.so.6", "MUSL_1"),
    ],
)
def test_versions_that_the_target_lacks_are_refused(tmp_path: Path, library: str, version: str) -> None:
    write_elf(tmp_path / "x.so", needed=(library,), requires={library: (version,)})
    assert f"x.so wants {version} of {library}" in refusal(tmp_path)


def test_a_weak_version_may_be_missing(tmp_path: Path) -> None:
    write_elf(tmp_path / "x.so", needed=("libc.so.6",), requires={"libc.so.6": ("GLIBC_2.99",)}, weak=("GLIBC_2.99",))
    check_binaries(tmp_path, X86)


def test_a_library_that_nobody_brings_is_refused_with_the_way_out(tmp_path: Path) -> None:
    write_elf(tmp_path / "pkg/x.so", needed=("libgomp.so.1", "libc.so.6"))
    said = refusal(tmp_path)
    assert "pkg/x.so needs libgomp.so.1" in said
    assert "`include`" in said


@pytest.mark.parametrize("runpath", ["$ORIGIN/../../pkg.libs", "${ORIGIN}/../../pkg.libs:/usr/local/lib"])
def test_libraries_of_auditwheel_are_found_by_their_run_path(tmp_path: Path, runpath: str) -> None:
    write_elf(tmp_path / "pkg/core/x.so", needed=("libblas-1234.so",), runpath=runpath)
    write_elf(tmp_path / "pkg.libs/libblas-1234.so", **BASE)
    check_binaries(tmp_path, X86)


def test_a_library_in_another_package_is_not_taken_for_found(tmp_path: Path) -> None:
    write_elf(tmp_path / "pkg/x.so", needed=("libblas.so",))
    write_elf(tmp_path / "other/libblas.so", **BASE)
    assert "needs libblas.so" in refusal(tmp_path)


def test_a_library_that_the_same_package_loads_earlier_counts(tmp_path: Path) -> None:
    write_elf(tmp_path / "pkg/x.so", needed=("libblas.so.3",))
    write_elf(tmp_path / "pkg/deep/libblas-renamed.so", soname="libblas.so.3", **BASE)
    check_binaries(tmp_path, X86)


def test_the_artifacts_lib_folder_is_searched_as_lambda_does(tmp_path: Path) -> None:
    write_elf(tmp_path / "pkg/x.so", needed=("libgomp.so.1",), requires={"libgomp.so.1": ("GOMP_4.0",)})
    write_elf(tmp_path / "lib/libgomp.so.1", defines=("GOMP_1.0", "GOMP_4.0"), **BASE)
    check_binaries(tmp_path, X86)
    write_elf(tmp_path / "lib/libgomp.so.1", defines=("GOMP_1.0",), **BASE)
    assert "wants GOMP_4.0 of libgomp.so.1, which lib/libgomp.so.1 doesn't have" in refusal(tmp_path)


def test_the_closure_is_followed_into_the_libraries_themselves(tmp_path: Path) -> None:
    write_elf(tmp_path / "pkg/x.so", needed=("liba.so",), runpath="$ORIGIN")
    write_elf(tmp_path / "pkg/liba.so", needed=("libexpat.so.1",))
    assert "pkg/liba.so needs libexpat.so.1" in refusal(tmp_path)


def test_machine_code_of_macos_and_damaged_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.cpython-313-darwin.so").write_bytes(b"\xcf\xfa\xed\xfe" + bytes(100))
    assert "x.cpython-313-darwin.so is machine code of another system" in refusal(tmp_path)
    (tmp_path / "x.cpython-313-darwin.so").write_bytes(b"\x7fELF\x02\x01" + bytes(20))
    assert "damaged ELF file" in refusal(tmp_path)


def test_many_problems_are_counted(tmp_path: Path) -> None:
    for number in range(8):
        write_elf(tmp_path / f"x{number}.so", needed=("libmissing.so",))
    assert "and 3 more" in refusal(tmp_path)


def installed(module: str) -> Path:
    spec = find_spec(module)
    if sys.platform != "linux" or spec is None or spec.origin is None:
        pytest.skip(f"{module} isn't installed here, or not for Linux")
    return Path(spec.origin).parent


def lightgbm_artifact(root: Path) -> Path:
    """LightGBM's library as its wheel has it, and scikit-learn's own libgomp."""
    shutil.copytree(installed("lightgbm") / "lib", root / "lightgbm/lib")
    shutil.copytree(installed("sklearn").parent / "scikit_learn.libs", root / "scikit_learn.libs")
    return root


def host_target() -> Target:
    return make_target("3.13", "x86_64" if os.uname().machine == "x86_64" else "arm64")


def test_lightgbm_is_lent_the_libgomp_of_scikit_learn(tmp_path: Path) -> None:
    root, target = lightgbm_artifact(tmp_path), host_target()
    assert "lightgbm/lib/lib_lightgbm.so needs libgomp.so.1" in refusal(root, target)
    (lent,) = lend(root, target, Path(sys.executable), "scikit-learn==1.9.1 \\\n    --hash=sha256:00\n")
    assert lent.file == "lib/libgomp.so.1"
    assert lent.requirement == "scikit-learn==1.9.1"
    assert lent.wanted_by == "lightgbm/lib/lib_lightgbm.so"
    assert check_binaries(root, target).files == 3
    assert lend(root, target, Path(sys.executable), "") == ()


def test_what_was_lent_is_what_the_loader_takes(tmp_path: Path) -> None:
    root = lightgbm_artifact(tmp_path)
    lend(root, host_target(), Path(sys.executable), "scikit-learn==1.9.1")
    program = (
        "import ctypes, pathlib\n"
        f"ctypes.CDLL({str(root / 'lightgbm/lib/lib_lightgbm.so')!r})\n"
        "print({line.split()[-1] for line in open('/proc/self/maps') if 'libgomp' in line})"
    )
    # As Lambda sets it, with the host's own libgomp at hand: the artifact's must come first.
    environment = {"LD_LIBRARY_PATH": f"{root}:{root}/lib"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str({str(root / "lib/libgomp.so.1")})


def test_every_lender_is_pinned_by_hash() -> None:
    for lender in LENDERS.values():
        assert "--hash=sha256:" in pinned_lines(lender.distribution)


def test_real_wheels_are_too_new_for_an_old_glibc(tmp_path: Path) -> None:
    shutil.copytree(installed("numpy"), tmp_path / "numpy")
    shutil.copytree(installed("numpy").parent / "numpy.libs", tmp_path / "numpy.libs")
    target = host_target()
    assert check_binaries(tmp_path, target).files > 10
    old = Target(target.python, target.architecture, "2_12")
    assert "wants GLIBC_2." in refusal(tmp_path, old)
