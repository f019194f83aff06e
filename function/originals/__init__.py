"""Asking models as they were logged, scikit-learn's and pyfunc: input, answers, and why not."""
