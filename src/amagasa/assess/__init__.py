"""Who did it: hypotheses, evidence, likelihood. Not furnished yet: see docs/architecture.md."""
