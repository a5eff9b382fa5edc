"""Courses of action, consent, playbook steps, outcome. Not furnished yet: see docs/architecture.md."""
