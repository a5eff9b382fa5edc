"""Sigma documents -> rules as plain data."""
