"""Workflows for CI systems, which `pinchpoint workflow` prints."""
