"""Who may do what. Each page names one of these sets; a role in none of them sees nothing.

viewer     sightings and units, no place finer than a 0.1 degree cell, people blurred
ranger     also exact places, people when there is a reason (audited), review, commands
analyst    as a ranger, but never people
admin      everything, and the audit
"""

from typing import Literal, get_args

Role = Literal["viewer", "ranger", "analyst", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)

EVERYBODY: frozenset[Role] = frozenset(ROLES)
EXACT: frozenset[Role] = frozenset({"ranger", "analyst", "admin"})
"""See exact coordinates and names of places; each look at coordinates is audited."""
REVIEW: frozenset[Role] = EXACT
COMMAND: frozenset[Role] = EXACT
PEOPLE: frozenset[Role] = frozenset({"ranger", "admin"})
"""See people on pictures, audited, and say that none are there."""
ADMIN: frozenset[Role] = frozenset({"admin"})
