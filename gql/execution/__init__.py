"""From a document to its answer: kept documents, their measure and cost, plans, and their execution a level at a time.

`build` makes the function that shows rows, `plan` an immutable plan of a selection on them; `level` carries a plan out,
and `run` takes over from graphql-core where there is one. What cannot be planned, and all that goes wrong, is
graphql-core's, whose answer is the reference.
"""
