"""FastAPI around onnxruntime, by a skilled hand: one thread, the converted model, no scikit-learn
in the process.
"""

import os

import numpy
import onnxruntime
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = onnxruntime.InferenceSession(
    os.environ["ONNX_MODEL"], options, providers=["CPUExecutionProvider"]
)
labels = os.environ["LABELS"].split(",")


class Text(BaseModel):
    text: str


class Texts(BaseModel):
    texts: list[str]


app = FastAPI()


def classify(texts: list[str]) -> list[dict]:
    chosen, rows = session.run(None, {"text": numpy.array(texts, dtype=object)})
    return [
        {"label": label, "scores": dict(zip(labels, row, strict=True))}
        for label, row in zip(chosen.tolist(), rows.tolist(), strict=True)
    ]


@app.post("/predict")
async def predict(body: Text) -> JSONResponse:
    return JSONResponse(classify([body.text])[0])


@app.post("/predict_batch")
async def predict_batch(body: Texts) -> JSONResponse:
    return JSONResponse({"predictions": classify(body.texts)})
