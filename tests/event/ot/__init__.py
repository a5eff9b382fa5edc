"""Tests of the messages of industrial protocols."""
