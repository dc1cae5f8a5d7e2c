"""What `syncer check` looks at: the configuration against the real source, state, index and model."""
