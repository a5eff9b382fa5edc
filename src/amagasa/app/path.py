"""The whole story, one verb a step. Written as the rooms are furnished."""
