"""Names below the output prefix. Readers need only `run=ID/`; `_lightship/` is the runs' own bookkeeping."""

BOOKS = "_lightship"
HEAD = f"{BOOKS}/head.json"
SUCCESS = "_SUCCESS"
MANIFEST = "_manifest.json"
FAILED = "_FAILED.json"


def run_folder(run: str) -> str:
    return f"run={run}"


def books(run: str) -> str:
    return f"{BOOKS}/runs/{run}"


def plan_name(run: str) -> str:
    return f"{books(run)}/plan.json"


def result_name(run: str, item: int) -> str:
    return f"{books(run)}/results/{item:06d}.json"


def scan_name(run: str, number: int) -> str:
    return f"{books(run)}/scans/{number:06d}.json"


def ledger_name(run: str) -> str:
    return f"{BOOKS}/ledger/{run}.bin"
