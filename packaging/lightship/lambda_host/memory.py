"""How much memory a process has had resident."""

import subprocess
from pathlib import Path


def peak_rss_bytes(pid: int) -> int:
    """The high-water mark of resident memory on Linux, the present resident size elsewhere; 0 for a process gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0 if Path("/proc/self/status").exists() else _resident_now(pid)
    # A zombie has no memory left and no such line.
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")), 0)


def _resident_now(pid: int) -> int:
    done = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return int(done.stdout) * 1024 if done.stdout.strip().isdigit() else 0
