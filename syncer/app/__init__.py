"""The outside of syncer: settings, wiring, commands, logs. Nothing imports it."""
