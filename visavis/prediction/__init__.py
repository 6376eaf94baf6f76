"""A run of predict over photos and videos: from the list of inputs to records, copies, tables and formats.

The detectors are in visavis.detectors, the command line in visavis.commands.predict; what lies between is here.
"""
