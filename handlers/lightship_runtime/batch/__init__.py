"""Batch scoring: files in, scored rows and rejects out, counted.

`score` streams one chunk of one object; `planning` finds objects and cuts them into chunks; `committing` reconciles the
counts and publishes. The same functions run in Lambda (`handlers`) and on one machine.
"""
