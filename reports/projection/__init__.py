"""Projection to other hardware: what a model would do, draw and cost on a device that nobody here has.

One step after the other, each in a file or a few; all of it is pure, and `reports.procure` runs through it.

- What is asked: `answers` (the types that all others speak), `asked` and `assumptions` (from a user's text and files).
- What must be done: `models`, their names elsewhere (`model_names`), number `formats`, `counts` of FLOPs and bytes.
- Whether it fits: `memory`. On what it runs at all: `engines`.
- What was measured: `calibration` (published, from `sources`) and `own`; each a job on a device (`situations`).
- How far real systems stay behind datasheets: `efficiency` (times) and `power` as sums of `terms`, a `mixed` model of
  them (its algebra is in `arrow`), `fitting` of its variances, and `calibrated`, which is all of it together.
- What a device would do: `outlook`, how far that can be relied on (`trust`), and how many it takes (`demand`).
- What to buy: `ownership` (costs, with `bounds` where only limits are known), `ranking`, and what would change that
  (`levers`, by the `ways` to have an option).
"""
