"""Kind `tabular_distill`: a small model that learns from a larger one as well as from the table."""
