"""Batch scoring: files in, scored rows and rejects out, counted.

`score` streams one chunk of one object; `planning` finds objects and cuts them into chunks; `committing` reconciles the
counts and publishes. The same functions run in Lambda (`handlers`) and on one machine.
"""

import os

# Read when Arrow is loaded. By default its allocator gives back to the system while the model works what the next block
# then takes again, page by page.
os.environ.setdefault("MIMALLOC_PURGE_DELAY", "-1")
