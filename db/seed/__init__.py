"""Sample data of any size. The same seed number and moment give the same rows, byte for byte.

load      checks the database, copies rows, counts them
tenant    an account with its users, hosts, sources and rentals
guest     clients with their bookings and inquiries
thread    conversations: participants, messages, state
relaying  delivery states of the newest messages, for the demo
dialogue  the texts of a conversation
rows      collects rows until they are copied; assigns ids
dice      random draws that depend on the seed alone
words     names, places and subjects
speech    questions and answers in eight languages

Its ids start at 1, so it refuses a database that has accounts.
"""

from db.seed.load import SeedError, seed
from db.seed.relaying import relay

__all__ = ["SeedError", "relay", "seed"]
