"""Writes a photo's file again with as few changes as possible: without private metadata, and with some new pixels."""
