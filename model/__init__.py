"""What is measured: reference models, the text they read, and what shrinks them. Knows nothing of benchmarks."""
