"""One file per thing in the world; adapters without decisions."""
