"""The demo's other side, as clients of the API: a guest who writes, and a channel that relays.

They use HTTP only, and nothing else of the server.
"""
