"""Windows of a few sizes slide over a picture; a small network, or boosted trees, judge each of them."""
