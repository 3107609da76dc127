"""Execution a level at a time: what is known of a selection once is not asked of every row.

`plan` makes an immutable plan of a selection on rows; `run` carries it out for whole levels. What cannot be planned,
and all that goes wrong, is graphql-core's, whose answer is the reference.
"""
