"""The function's main program: finds the runtime client and the artifact, and hands over to AWS's own client.

It runs under the target's Python as a script, compiled at every start, so it stays short and imports little.
Arguments: the file descriptor of the lifeline, and the folders that stand for /var/runtime.
"""

import os
import sys


def hold_lifeline(descriptor: int) -> None:
    """Have the kernel kill this process group when the host that holds the pipe's other end is gone (Linux)."""
    import fcntl

    os.set_inheritable(descriptor, False)
    fcntl.fcntl(descriptor, fcntl.F_SETOWN, -os.getpid())
    if hasattr(fcntl, "F_SETSIG"):
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, 9)
    fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)


hold_lifeline(int(sys.argv[1]))
sys.path[:0] = [folder for folder in sys.argv[2:] if folder not in sys.path]
handler = os.environ["_HANDLER"]
sys.argv = [sys.argv[0], handler]

# The client is imported before the artifact's folder joins the path, as Lambda does: a module of the artifact can't
# take its place. Everything imported later is looked for in the artifact first.
from awslambdaric.__main__ import main  # noqa: E402

sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
main(sys.argv)
