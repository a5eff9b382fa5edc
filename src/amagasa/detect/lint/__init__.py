"""What is wrong with a rule, where, and what was meant: findings with their place, before it ever runs."""
