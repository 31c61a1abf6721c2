"""Batch scoring on this machine, with the code that runs in Lambda."""
