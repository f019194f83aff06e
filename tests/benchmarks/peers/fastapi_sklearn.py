"""FastAPI calling scikit-learn directly, by a skilled hand: no mlflow import, no DataFrame on the
way.

The fitted vectorizer and classifier are taken out of the pipeline, so a request costs `transform`
and `predict_proba` of a list of strings, nothing else.
"""

import os
from pathlib import Path

from fastapi import FastAPI
from fastapi.responses import JSONResponse
from model_files import load_pipeline
from pydantic import BaseModel


class Text(BaseModel):
    text: str


class Texts(BaseModel):
    texts: list[str]


app = FastAPI()
pipeline = load_pipeline(Path(os.environ["MODEL_PATH"]))
vectorizer = pipeline[0].named_transformers_["text"]
classifier = pipeline[-1]
labels = classifier.classes_.tolist()


def classify(texts: list[str]) -> list[dict]:
    rows = classifier.predict_proba(vectorizer.transform(texts)).tolist()
    return [
        {"label": labels[row.index(max(row))], "scores": dict(zip(labels, row, strict=True))}
        for row in rows
    ]


@app.post("/predict")
async def predict(body: Text) -> JSONResponse:
    return JSONResponse(classify([body.text])[0])


@app.post("/predict_batch")
async def predict_batch(body: Texts) -> JSONResponse:
    return JSONResponse({"predictions": classify(body.texts)})
