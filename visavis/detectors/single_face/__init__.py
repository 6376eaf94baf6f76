"""One face by regression: a classifier's backbone, global pooling, and two heads: is there a face, and where."""
