"""Indicators: patterns with validity and confidence, indexed so that a million cost what a hundred do."""
