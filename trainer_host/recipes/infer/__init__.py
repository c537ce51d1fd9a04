"""The recipe of the internal kind `infer`: rows through a trained model."""
