"""The typed specs of the kinds: one source of bounds and defaults for the gateway's validation and for the recipes."""
