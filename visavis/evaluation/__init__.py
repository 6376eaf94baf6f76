"""Detectors held against labelled photos and against each other: figures, how sure they are, and the mistakes."""
