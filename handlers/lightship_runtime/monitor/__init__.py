"""Monitoring as it runs beside a model: bins, records, counts, drift, accuracy and windows.

`baseline`, `bins` and `records` are standard library only, because the predicting function reads them at its cold
start. Importing this package imports none of its modules.
"""
