"""The protocols of published benchmarks, one file each: how to read their annotations, and how to score.

A protocol is a module with `read(folder)`, `figures(annotated, sizes, found)`, `ROWS` for the table and
`chart(results, path)`; its annotations have a `name`, a `path` and `boxes`.
"""

PROTOCOLS: dict[str, str] = {
    "wider": "visavis.evaluation.protocols.wider",
    "fddb": "visavis.evaluation.protocols.fddb",
}
"""Name, as in `evaluate --protocol` -> its module."""
