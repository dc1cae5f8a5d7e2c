"""Control flow over the ports. Read `deliver` first, then `poll`, then `verify`."""
