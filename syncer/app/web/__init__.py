"""Pages for people: searching, and how far the pipelines are. Made on the server; scripts only make them quicker."""
