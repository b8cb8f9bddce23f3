"""Projection to other hardware: what a model would do, draw and cost on a device that nobody here has.

One file a step: `models` and `counts` (what must be done), `memory` (whether it fits), `calibration` and `efficiency`
(how close real systems come to their datasheets), `outlook` (time and power with intervals), `demand` (how many
devices), `ownership` (what they cost), `ranking` (which is best, and what decides it). All of it is pure.
"""
