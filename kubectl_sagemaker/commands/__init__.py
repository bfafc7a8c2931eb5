"""One file a verb: parse, collect, render, write."""
