"""Correlation: detections of rules -> detections of what only several of them together show."""
