"""What every training shares: steps, schedule, validation, checkpoints, stopping and resuming, several processes.

These modules know torch and the models; train.py adds photos, tables and the command line.
"""
