"""How a type is declared: relations, connections, nodes, filters, enums and scalars."""
