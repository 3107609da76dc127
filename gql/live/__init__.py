"""What follows the change log while the server runs.

`subscriptions` is the entrance for transports: it gives a `Stream` of events for a subscription, and the result of any
other operation. Behind it, a process has one `Hub`; each account that is followed has a `Feed`, which reads new changes
once; and each document that several follow has a `Group`, which executes it once for all of them. `retention` removes
the old part of the log.
"""
