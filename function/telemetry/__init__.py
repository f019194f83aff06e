"""What the service says about itself while it runs; knows nothing of the model."""
