"""Drills: incidents replayed through the real functions, and the synthesised alarms evaluated over the outcome."""
