"""A model URI -> lineage and files: versions, the model file, MLflow or its REST API alone."""
