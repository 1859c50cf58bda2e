"""The tests; a package, so that child processes find it before another of that name."""
