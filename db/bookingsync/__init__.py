"""The import of BookingSync API v3 responses, bottom to top.

report     what came in, what is left over
wire       a record of the REST API -> a record in the terms of our tables
page       files of the REST API -> records
kind       the kinds of records: their tables, and what they refer to
joining    records in staging tables -> rows, a set at a time
importing  `import_pages`: all of it in one transaction

Reading knows nothing of the database and joining nothing of files, so that either can change without the other.
"""
