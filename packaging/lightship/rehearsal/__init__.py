"""Rehearses a deployment: the real CDK command line against an emulated AWS on this machine's loopback."""
