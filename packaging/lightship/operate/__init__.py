"""Operates a deployed stage: deploys, tells its state, goes back, calls it, takes it down, and moves releases about."""
