"""Kinds of fields and inputs of which the schema consists: relations, connections, nodes, filters, enums, scalars."""
