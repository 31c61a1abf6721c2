"""What a function prints, line by line."""

import os
import select
import threading
from collections.abc import Callable


class LineReader:
    """Reads a pipe to its end in a thread of its own and calls `log` with each line, without its newline.

    stdout and stderr share the pipe, as they share a log stream on Lambda. Long lines aren't split.
    """

    def __init__(self, descriptor: int, log: Callable[[str], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._log = log
        self._rest = b""
        self._open = True
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="lambda-output", daemon=True)
        self._thread.start()

    def drain(self) -> None:
        """Pass on all that has been written so far. After it, lines printed before an answer are not outstanding."""
        with self._lock:
            while self._open:
                try:
                    data = os.read(self._descriptor, 1 << 16)
                except BlockingIOError:
                    return
                self._take(data)

    def close(self) -> None:
        """Pass on what is left, an unfinished line included, and close the pipe."""
        self.drain()
        with self._lock:
            self._end()
        self._thread.join(timeout=1)

    def _run(self) -> None:
        while self._open:
            try:
                select.select([self._descriptor], [], [], 0.5)
            except (OSError, ValueError):
                return
            self.drain()

    def _take(self, data: bytes) -> None:
        if not data:
            self._end()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._log(line.decode(errors="replace"))

    def _end(self) -> None:
        if not self._open:
            return
        self._open = False
        if self._rest:
            self._log(self._rest.decode(errors="replace"))
        os.close(self._descriptor)
