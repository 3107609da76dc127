"""The import of BookingSync API v3 responses, bottom to top.

report     what came in, what is left over
wire       a record of the REST API -> a record in the terms of our tables
kind       the kinds of records: their tables, and what they refer to
stream     a JSON file of any size -> the elements of its arrays
page       files of the REST API -> records
reading    files -> batches of records, and where each of them ends
position   how far an import has come
staging    the tables of an import: what was given, what became of it, and what is left over
joining    a batch of records -> rows
linking    rows -> rows that are connected
touching   what is derived from rows that were changed
steps      all of that in its order, a batch at a time
importing  `importing`: the steps in transactions, and the report

Reading knows nothing of the database and joining nothing of files, so that either can change without the other.
"""
