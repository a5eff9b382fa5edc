"""Detection -> alert -> incident: fold, group, rank."""
