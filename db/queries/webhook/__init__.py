"""Deliveries to webhooks, for the workers: made from the change log, taken with a lease, recorded, removed when old.

Workers serve all accounts, so these statements are plain SQL that names the account in each join. Times are those of
the database, because the clocks of workers differ.
"""
