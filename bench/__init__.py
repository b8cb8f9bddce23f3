"""How it is measured: points, isolated runs, probes, the store and the command line."""
