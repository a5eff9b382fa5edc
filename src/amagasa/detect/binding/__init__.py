"""Which observations satisfy a STIX pattern together: over observed-data as a library, over our events as they come."""
