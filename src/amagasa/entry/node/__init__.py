"""A node at work: the main process, its worker, the compiler child, and how a node is made."""
