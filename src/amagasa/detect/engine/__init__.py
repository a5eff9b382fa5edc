"""Rules -> Plan -> evaluate: what is asked of each event, and the answer."""
