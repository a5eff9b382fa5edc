"""What others test their defences with: an ally who lies. Speaks to this machine alone."""
