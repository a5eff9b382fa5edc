"""The language: identifiers, instants, markings, severity, ATT&CK, errors. Imports nothing of the house."""
