"""Heartbeats, ticks and faults -> which router is active. Pure."""
