"""The engine: a job's log events, in order, each once."""
