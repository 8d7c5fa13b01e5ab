"""Connections: opening, their session, what a refused connection says, poolers."""
