"""What is usual at each device of a plant, and what differs from it."""
