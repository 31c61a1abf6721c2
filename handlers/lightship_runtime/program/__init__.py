"""The program: a fitted model as data, and the operations that evaluate it.

A program is a folder of two files, `program.json` (a graph of primitive operations) and `program.bin` (their arrays).
`docs/program-format.md` is its reference. Reading one executes nothing that the folder holds.
"""
