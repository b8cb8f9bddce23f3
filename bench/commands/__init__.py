"""The commands of `pinchpoint`: one file each, found by its name, offering `command`. They alone compose the parts.

They are imported for `--help`, so whatever is heavy (torch, pandas, SQLAlchemy, matplotlib) is imported inside them.
"""
