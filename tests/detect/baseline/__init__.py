"""Tests of baselines of devices."""
