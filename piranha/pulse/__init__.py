"""pulse: the small process that says which router is active; it has the heartbeats and the floating addresses."""
