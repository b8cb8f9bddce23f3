"""Programs whose wall is known by how they were made, with sizes drawn at random, and mixtures in known proportions."""
