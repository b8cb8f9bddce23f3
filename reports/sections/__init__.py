"""One file a section of the report: ORDER, and build(study) -> Section or None."""
