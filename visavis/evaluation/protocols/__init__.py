"""The rules of published benchmarks, one file each: how their annotations are read, and what they count.

A protocol is a module with `read(folder)`, `figures(annotated, sizes, found)`, `ROWS` for the table and
`chart(results, path)`; its annotations have a `name`, a `path` and `boxes`.
"""

PROTOCOLS = ("wider", "fddb")
