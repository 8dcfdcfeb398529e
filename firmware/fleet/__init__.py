"""A whole fleet of units on one simulated channel, driven by the real wire, code and scheduler."""
