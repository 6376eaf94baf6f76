"""Scores detectors on labelled photos and compares them: figures, their confidence intervals, and the mistakes."""
