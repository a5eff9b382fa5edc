"""Rules and indicators from folders and archives; compilation in a child process; the plan cache."""
