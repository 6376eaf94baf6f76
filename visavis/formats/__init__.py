"""How other programs write boxes down: one face, or one photo, in the words of COCO, Pascal VOC and YOLO.

What is here knows neither the data folder's tables nor predict's results: both are written with it.
"""
