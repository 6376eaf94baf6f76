"""The protocols of published benchmarks, one file each: how to read their annotations, and how to score.

A protocol is a module with `read(folder)`, `figures(annotated, sizes, found)`, `ROWS` for the table and
`chart(results, path)`; its annotations have a `name`, a `path` and `boxes`.
"""

PROTOCOLS = ("wider", "fddb")
