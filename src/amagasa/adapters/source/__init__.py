"""Where records come from: files plain and packed, EVTX, growing logs."""
