"""Every statement that is not a relation, one module an entity: orders, filters, locks and writes."""
