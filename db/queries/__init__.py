"""All statements except relations, one module per entity: orders, filters, locks and writes."""
