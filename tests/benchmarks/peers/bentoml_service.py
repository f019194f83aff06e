"""BentoML with the MLflow model behind it: one worker, the production server, no adaptive batching
(its default).
"""

import os

import bentoml
import mlflow.pyfunc
import pandas


@bentoml.service(workers=1, threads=1)
class TextClassifier:
    def __init__(self) -> None:
        self.model = mlflow.pyfunc.load_model(os.environ["MODEL_PATH"])

    def labels(self, texts: list[str]) -> list[dict[str, str]]:
        return [
            {"label": label}
            for label in self.model.predict(pandas.DataFrame({"text": texts})).tolist()
        ]

    @bentoml.api
    def predict(self, text: str) -> dict[str, str]:
        return self.labels([text])[0]

    @bentoml.api
    def predict_batch(self, texts: list[str]) -> dict[str, list[dict[str, str]]]:
        return {"predictions": self.labels(texts)}
