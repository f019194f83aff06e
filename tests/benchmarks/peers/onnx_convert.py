"""Converts the model to ONNX: `python onnx_convert.py MODEL_FOLDER OUTPUT_FILE`.

ONNX knows only RE2, whose `\\w` and `\\b` are ASCII. With skl2onnx's default tokens about 2 % of
the labels differ from scikit-learn's; a skilled user would spell the default token_pattern in
Unicode classes, and then they agree.
"""

import sys
from pathlib import Path

import skl2onnx
from model_files import load_pipeline
from skl2onnx.common.data_types import StringTensorType
from sklearn.pipeline import Pipeline

pipeline = load_pipeline(Path(sys.argv[1]))
vectorizer, classifier = pipeline[0].named_transformers_["text"], pipeline[-1]
converted = skl2onnx.to_onnx(
    Pipeline([("vectorizer", vectorizer), ("classifier", classifier)]),
    initial_types=[("text", StringTensorType([None]))],
    options={id(vectorizer): {"tokenexp": r"[\p{L}\p{N}_]{2,}"}, id(classifier): {"zipmap": False}},
)
Path(sys.argv[2]).write_bytes(converted.SerializeToString())
