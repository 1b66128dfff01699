"""The curves of paper [A]."""
