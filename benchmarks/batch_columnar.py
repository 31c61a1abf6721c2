"""Which columnar library batch.zip should hold: sizes by this project's slimming rules, seconds, rows a second, memory.

Each contender is installed for the target as a release would have it, slimmed, and run from there in a process of its
own, one thread each, over the flights of 2013: read them as CSV, write seven columns of them as CSV (with the library's
own writer), read them as Parquet. CPU seconds, the best of ROUNDS; the most memory after reading the CSV once, in MB.
Run: .venv/bin/python benchmarks/batch_columnar.py
"""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from batch_throughput import write_year

from lightship.lambda_host.interpreter import python_for
from lightship.slimming import slim
from lightship.targets import make_target
from lightship.wheels import install, resolve
from lightship.zipping import unzipped_bytes, write_zip
from lightship_runtime.errors import LightshipError

ROUNDS = 5
PYTHON = "3.13"
ROWS = 327_346

BEFORE = """
import json, sys, time
columns = ["id", "flight", "scheduled", "carrier", "temp", "humid", "pressure"]
"""
AFTER = """
def best(action):
    times = []
    for _ in range(int(sys.argv[1])):
        begun = time.process_time()
        action()
        times.append(time.process_time() - begun)
    return min(times)
table = read_csv("year.csv")
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
found = {"memory": int(status["VmHWM"].split()[0]) / 1024}
found["read CSV"] = best(lambda: read_csv("year.csv"))
found["write 7 columns"] = best(lambda: write_csv(table, "out.csv"))
if read_parquet:
    found["read Parquet"] = best(lambda: read_parquet("year.parquet"))
print(json.dumps(found))
"""

ARROW = """
import pyarrow as pa
from pyarrow import csv, parquet
read_csv = lambda file: csv.read_csv(file, csv.ReadOptions(use_threads=False))
write_csv = lambda table, file: csv.write_csv(table.select(columns), file)
read_parquet = lambda file: parquet.read_table(file, use_threads=False)
"""
POLARS = """
import polars
read_csv = polars.read_csv
write_csv = lambda table, file: table.select(columns).write_csv(file)
read_parquet = polars.read_parquet
"""
PANDAS = """
import pandas
read_csv = pandas.read_csv
write_csv = lambda table, file: table[columns].to_csv(file, index=False)
read_parquet = lambda file: pandas.read_parquet(file, use_threads=False)
"""
NUMPY = """
import csv, numpy
def read_csv(file):
    with open(file, newline="") as stream:
        names, *rows = csv.reader(stream)
    table = {}
    for name, texts in zip(names, zip(*rows)):
        try:
            table[name] = numpy.array(["nan" if each == "" else each for each in texts], dtype=float)
        except ValueError:
            table[name] = numpy.array(texts, dtype=object)
    return table
def write_csv(table, file):
    with open(file, "w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(columns)
        out.writerows(zip(*[table[name].tolist() for name in columns]))
read_parquet = None
"""
CONTENDERS = {
    "pyarrow": (("numpy", "pyarrow"), ARROW),
    "polars": (("numpy", "polars"), POLARS),
    "pandas": (("numpy", "pandas", "pyarrow"), PANDAS),
    "csv and NumPy": (("numpy",), NUMPY),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_year(scratch)
        print(f"{'with NumPy':16}{'installed':>10}{'slimmed':>9}{'zipped':>8}{'read CSV':>10}{'rows/s':>12}"
              f"{'memory':>8}{'write 7':>9}{'Parquet':>9}")  # fmt: skip
        for name, (requirements, program) in CONTENDERS.items():
            try:
                print_one(name, requirements, program, scratch)
            except LightshipError as error:
                print(f"{name:16}{error}")


def print_one(name: str, requirements: tuple[str, ...], program: str, scratch: Path) -> None:
    target = make_target(PYTHON, "x86_64")
    tree = scratch / name.replace(" ", "-")
    python = python_for(PYTHON)
    install(resolve(requirements, target), target, python, tree)
    installed = unzipped_bytes(tree)
    slim(tree)
    packed = write_zip(tree, scratch / "packed.zip", most=None)
    environment = {**os.environ, "PYTHONPATH": str(tree), "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    command = [str(python), "-c", BEFORE + program + AFTER, str(ROUNDS)]
    done = subprocess.run(command, env=environment, cwd=scratch, stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    parquet = f"{found['read Parquet']:9.3f}" if "read Parquet" in found else f"{'no':>9}"
    print(f"{name:16}{installed / 1e6:10.0f}{packed.unzipped_bytes / 1e6:9.0f}{packed.zip_bytes / 1e6:8.0f}"
          f"{found['read CSV']:10.3f}{ROWS / found['read CSV']:12,.0f}{found['memory']:8.0f}"
          f"{found['write 7 columns']:9.3f}{parquet}")  # fmt: skip


if __name__ == "__main__":
    main()
