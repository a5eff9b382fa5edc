"""STIX 2.1 patterns: their tree, what they compare, and our events as cyber observables."""
