"""What it means: pure functions from records to findings, and the pages that show them. Never imports torch."""
