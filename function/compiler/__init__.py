"""A fitted scikit-learn pipeline to the compiled predictor, or the reason why not."""
