"""Searching over HTTP. Pages for people are in `syncer.app.web`; `application` takes them."""
