"""What people and other tools read: document values made of what the rooms below hold. See docs/architecture.md."""
