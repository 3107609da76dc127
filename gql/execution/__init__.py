"""From a document to its result: the document cache, measures and costs, plans, and execution a level at a time.

`plan` makes an immutable plan of a selection, with functions from `build` that make objects from rows; `level` executes
a plan. `run` uses plans; graphql-core executes selections without a plan, and again whatever failed. Its result is the
reference.
"""
