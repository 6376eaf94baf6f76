"""Training a detector so that it can be trusted, stopped, and spread over processes.

These parts know torch and the models; photos, tables and the command line are train.py's.
"""
