"""Kind `tabular_train`: a dense or a linear model on one table. See README.md beside this file."""
