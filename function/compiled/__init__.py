"""The compiled predictor and its files: text to prediction in the standard library only."""
