"""The sweep specs that ship with pinchpoint."""
