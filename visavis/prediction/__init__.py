"""A run over somebody's photos: inputs decoded, looked at, copied and written down, with nothing lost.

The network is a detector's and the command line is predict.py's; what lies between is here.
"""
