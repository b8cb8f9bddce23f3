"""Programs that are run by path in the environment of a side. Python puts this folder first in their search path, so
nothing else lies here."""
