"""Two sides of a change, measured in turns: commits or interpreters, each in an environment of its own."""
