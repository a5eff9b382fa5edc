"""Record -> event: formats, fields, log sources, entities, rejects."""
