"""LitServe with the MLflow model behind it: one worker, one API server, no batching (its defaults
but for the counts).
"""

import os
import sys

import litserve
import mlflow.pyfunc
import pandas


class TextClassifier(litserve.LitAPI):
    def setup(self, device):
        self.model = mlflow.pyfunc.load_model(os.environ["MODEL_PATH"])

    def decode_request(self, request):
        return pandas.DataFrame(
            {"text": request["texts"] if "texts" in request else [request["text"]]}
        )

    def predict(self, frame):
        return self.model.predict(frame)

    def encode_response(self, labels):
        return {"predictions": [{"label": label} for label in labels.tolist()]}


if __name__ == "__main__":
    server = litserve.LitServer(TextClassifier(), accelerator="cpu", workers_per_device=1)
    server.run(
        host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False
    )
