"""Which of two routers is active: heartbeats, ticks and faults in; a state, orders and a sentence out. Pure."""
