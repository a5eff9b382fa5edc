"""Messages of industrial control: one normal form for what captures, sensors and flows say."""
