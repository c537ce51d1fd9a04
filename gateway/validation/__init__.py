"""Validation at submission: named steps in a documented order; the first that fails answers."""
