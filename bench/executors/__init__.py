"""Where the fresh processes run."""
