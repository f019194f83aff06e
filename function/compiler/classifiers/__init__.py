"""Fitted scikit-learn classifiers to weights, intercepts and a decision (see decision.py)."""
