"""The base's web pages: what came, what it is, how the units are. Accounts, no outbound request."""
