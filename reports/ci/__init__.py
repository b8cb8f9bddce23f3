"""One file a format that a CI system reads: DESCRIPTION, and render(comparison) -> str."""
