"""A photo's own file written again with as little changed as can be: what is private left out, few pixels painted."""
