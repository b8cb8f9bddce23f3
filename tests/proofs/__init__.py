"""Proofs: each module measures what the project promises in figures, prints a table, and ends with one JSON line.

`python -m tests.proofs.NAME [--quick] [--record]` runs one; `python -m tests.proofs` lists them with the last recorded
figure. A proof is no test: it may fail on a slow machine, so the test suite never runs one.
"""
