"""Rentals, clients, bookings and inquiries are found by their words, and with messages sorted by their times.

An index of words takes 50 µs of CPU for a row, one of times 1 µs.
"""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
# A function and indexes, which older code writes without knowing of them.
oldest_code = "0009"

_FUNCTION = r"""
CREATE FUNCTION search_texts(account bigint, contents text[]) RETURNS tsvector
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000
RETURN search_owned(account, search_words(
    left(translate(search_plain(left(array_to_string(contents, E'\f'), 20000)), '-', ' '), 20000)
)::text)::tsvector
"""
_TEXTS = {
    "bookings": "reference, external_reference, search_ends(reference, 3, 12), search_ends(external_reference, 3, 12)",
    "clients": "fullname, search_contact(email, phone)",
    "inquiries": "firstname, lastname, search_contact(email, phone), message",
    "rentals": "name, city",
}
_TIMES = {
    "bookings": ("created_at", "updated_at"),
    "clients": ("created_at", "updated_at"),
    "inquiries": ("created_at", "updated_at"),
    "messages": ("sent_at", "updated_at"),
    "rentals": ("created_at", "updated_at"),
}


def upgrade() -> None:
    """Create the function and the indexes."""
    op.execute(_FUNCTION)
    for table, texts in _TEXTS.items():
        op.execute(f"CREATE INDEX ix_{table}_words ON {table} USING gin (search_texts(account_id, ARRAY[{texts}]))")
    for table, columns in _TIMES.items():
        for column in columns:
            op.create_index(op.f(f"ix_{table}_account_id_{column}_id"), table, ["account_id", column, "id"])


def downgrade() -> None:
    """Drop them."""
    for table, columns in _TIMES.items():
        for column in columns:
            op.drop_index(op.f(f"ix_{table}_account_id_{column}_id"), table_name=table)
    for table in _TEXTS:
        op.drop_index(f"ix_{table}_words", table_name=table)
    op.execute("DROP FUNCTION search_texts(bigint, text[])")
