"""Times recorded on real, shared machines: what the intervals are tried on beside simulated noise."""
