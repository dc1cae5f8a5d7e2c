"""What each command does, one module a command; `syncer.app.cli` says how they are called."""
