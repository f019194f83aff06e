"""Measures this project and the usual ways of serving the same MLflow model, in one run: `python -m
tests.benchmarks`.
"""
