"""The worker of webhooks: it makes deliveries from the change log, and sends them to their endpoints.

worker      fan-out, taking and recording in one loop; attempts at the same time
places      how many attempts run at the same time
sender      one attempt: payload, signature, request, and what its result means
payload     the body: ids, or the answer of the endpoint's trusted document
signature   the headers of Standard Webhooks
connection  connects to public addresses only
schedule    the times of attempts, and other limits
retention   removes old deliveries

Order, leases and positions are in `db.queries.webhook`.
"""
