"""Every record that was read, as it came: compressed, chained, and skipped where a filter says that it is not there."""
