"""The GUI on port 3636."""
