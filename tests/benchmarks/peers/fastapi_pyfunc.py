"""FastAPI around `mlflow.pyfunc`, as most tutorials have it; `async` because a thread pool only
costs on one core.
"""

import os

import mlflow.pyfunc
import pandas
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()
model = mlflow.pyfunc.load_model(os.environ["MODEL_PATH"])


class Text(BaseModel):
    text: str


class Texts(BaseModel):
    texts: list[str]


def classify(texts: list[str]) -> list[dict]:
    return [{"label": label} for label in model.predict(pandas.DataFrame({"text": texts})).tolist()]


@app.post("/predict")
async def predict(body: Text) -> dict:
    return classify([body.text])[0]


@app.post("/predict_batch")
async def predict_batch(body: Texts) -> dict:
    return {"predictions": classify(body.texts)}
