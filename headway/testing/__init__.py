"""Doubles and builders for tests, shipped and themselves tested."""
