"""Amagasa: a cyber-defence umbrella which one party extends over another, under a signed agreement."""
