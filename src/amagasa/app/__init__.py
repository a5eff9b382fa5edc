"""Use cases, permissions and the ports through which they ask the world. Start reading at path.py."""
