"""The floor: a Functions Framework function that only answers JSON of a prediction's size."""

import functions_framework


@functions_framework.http
def hello(request):
    return {"text": "hello world", "sentiment": "neutral", "confidence": 1.0, "model_version": "1"}
