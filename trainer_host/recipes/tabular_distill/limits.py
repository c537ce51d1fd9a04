"""Numbers of this recipe that a spec does not say."""

LEAST_COMMON_TEST_ROWS = 10
"""Test rows that several teachers must have left alone; fewer say nothing about a student."""

NAMED = 8
"""Classes or columns that a message names."""

MIXUP_SEED = 0x6D69
"""Beside the job's seed, so that mixtures are not drawn as the split was."""
