"""What keeps secrets secret; knows nothing of the model."""
