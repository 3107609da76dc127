"""Background work on the change log: subscriptions and retention.

Transports use `subscriptions`: it returns a `Stream` of events for a subscription, and the result of any other
operation. A process has one `Hub`. For each followed account it has a `Feed`, which reads new changes once, and for
each subscribed document a `Group`, which executes it once for all of its subscribers. `retention` removes the old part
of the log.
"""
