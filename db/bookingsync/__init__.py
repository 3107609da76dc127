"""The import of BookingSync API v3 responses.

From the bottom to the top:

report      the counts of an import, and its leftovers
wire        a record of the REST API -> the same record in the terms of our tables
kind        the kinds of records: their tables, and what they refer to
stream      a JSON file of any size -> the elements of its arrays
files       paths -> files -> batches of records, and where each batch ends
checkpoint  how far an import has come
staging     the tables of an import: records, outcomes, leftovers
deleting    records that the export names as deleted
joining     a batch of records -> rows
linking     links between rows, and values derived from changed rows
steps       the steps of an import in their order, each in batches
importing   `importing`: runs the steps in transactions, and reports

`files` and below know nothing of the database, and `joining` and above nothing of files.
"""
