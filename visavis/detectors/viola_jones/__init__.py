"""The detector of Viola and Jones, from scratch, to learn from: numpy and scipy find faces, numba learns to.

P. Viola, M. Jones, "Rapid Object Detection using a Boosted Cascade of Simple Features", 2001. In the order in which to
read it:

integral.py    sums of any rectangle of a picture from four numbers
features.py    differences of such sums: the five kinds of Haar-like features, all 162,336 of a window of 24 x 24
cascade.py     stages of features that vote, and what stands of them in a file
scanning.py    all windows of a picture through the cascade; faces of all sizes by scaled features
shrinking.py   the same by shrinking the picture, as OpenCV does
../grouping.py one face of the many windows around it
detector.py    all of it as a detector of visavis
opencv_xml.py  cascades of OpenCV
crops.py       windows with faces, to learn from
boosting.py    which feature to add to a stage; search.py is what numba compiles of it
negatives.py   windows without a face that all stages so far take for one
learning.py    a stage
run.py         stage after stage, through interruptions
"""
