"""The survey's tables in base.sqlite. `statement` is a log like the store's `raw`; all others are
derived from the two logs and say nothing that a rebuild would not.

`survey_key` holds 16 random bytes, made once: with them public exports name things by opaque ids
that stay the same from one export to the next.
"""

SCHEMA = 3

LOG = (
    """CREATE TABLE IF NOT EXISTS statement (
        seq INTEGER PRIMARY KEY, said_s REAL NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL,
        body BLOB NOT NULL
    ) STRICT""",
    "CREATE TABLE IF NOT EXISTS survey_key (key BLOB NOT NULL) STRICT",
    *(
        f"CREATE TRIGGER IF NOT EXISTS {table}_keep_{number} BEFORE {verb} ON {table}"
        " BEGIN SELECT RAISE(ABORT, 'append-only'); END"
        for table in ("statement", "survey_key")
        for number, verb in ((1, "DELETE"), (2, "UPDATE"))
    ),
)

DERIVED = (
    """CREATE TABLE survey_state (
        schema INTEGER NOT NULL, independence_s REAL NOT NULL,
        raw_seq INTEGER NOT NULL, statement_seq INTEGER NOT NULL -- read so far
    ) STRICT""",
    """CREATE TABLE deployment (
        id INTEGER PRIMARY KEY, -- the statement that placed it
        unit TEXT NOT NULL, place TEXT NOT NULL, latitude REAL NOT NULL, longitude REAL NOT NULL,
        start_s REAL NOT NULL, end_s REAL, notes TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX deployment_by_unit ON deployment (unit, start_s)",
    """CREATE TABLE heartbeat (
        unit TEXT NOT NULL, slot INTEGER NOT NULL, until_s REAL NOT NULL,
        PRIMARY KEY (unit, slot)
    ) STRICT, WITHOUT ROWID""",
    """CREATE TABLE observation (
        seq INTEGER PRIMARY KEY, -- the sighting's record in `raw`; a second record adds nothing
        unit TEXT NOT NULL, sighting INTEGER NOT NULL, deployment INTEGER,
        at_s REAL NOT NULL, unit_s REAL NOT NULL, received_s REAL NOT NULL,
        doubt INTEGER NOT NULL, -- 1: the unit did not know the time
        night INTEGER NOT NULL, model TEXT NOT NULL,
        machine_species TEXT NOT NULL, machine_confidence REAL NOT NULL,
        machine_count INTEGER NOT NULL, machine_people INTEGER NOT NULL,
        road TEXT NOT NULL, -- how the record came: radio or card
        species TEXT NOT NULL, count INTEGER NOT NULL, sex TEXT NOT NULL, age TEXT NOT NULL,
        people INTEGER NOT NULL, reviewed INTEGER NOT NULL, reviewed_by TEXT, reviewed_s REAL,
        event INTEGER
    ) STRICT""",
    "CREATE INDEX observation_by_name ON observation (unit, sighting)",
    "CREATE INDEX observation_by_group ON observation (unit, deployment, species, at_s)",
    "CREATE INDEX observation_by_time ON observation (at_s)",
    "CREATE INDEX observation_by_review ON observation (reviewed, at_s)",
    """CREATE TABLE event (
        seq INTEGER PRIMARY KEY, -- of its first observation
        unit TEXT NOT NULL, deployment INTEGER, species TEXT NOT NULL,
        start_s REAL NOT NULL, end_s REAL NOT NULL, sightings INTEGER NOT NULL,
        count INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX event_by_group ON event (unit, deployment, species, start_s)",
    "CREATE INDEX event_by_time ON event (start_s)",
    """CREATE TABLE review (
        statement INTEGER PRIMARY KEY, observation INTEGER NOT NULL, undone INTEGER NOT NULL
    ) STRICT""",
    "CREATE INDEX review_by_observation ON review (observation)",
)
DERIVED_TABLES = (
    "survey_state", "deployment", "heartbeat", "observation", "event", "review",
)  # fmt: skip
