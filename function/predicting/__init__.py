"""What ``python -m function.predict`` does: rows in, a line of answer for each, in their order."""
