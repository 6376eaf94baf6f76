"""The first step: downloads the VGG Face list and the photos that it names.

`python -m download lists` and `python -m download images`. Nothing here knows torch or faces.
"""
