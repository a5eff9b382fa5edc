"""The door for people: console, REST under /api/, WebSocket; accounts and sessions."""
