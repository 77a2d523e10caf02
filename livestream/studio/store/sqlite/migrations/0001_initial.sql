-- Everything a Studio keeps but for images (files beside the database) and tokens (auth.db).
-- Times are microseconds since the epoch. JSON columns hold msgspec's encoding of the structs named beside them.

CREATE TABLE experiment (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,          -- normal form
    repo_url TEXT NOT NULL,            -- as first sent, without credentials
    baseline_sha TEXT NOT NULL,
    name TEXT NOT NULL,
    subdir TEXT NOT NULL DEFAULT '',
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    deleted_us INTEGER,                -- the tombstone
    facts BLOB NOT NULL,               -- experiment.Facts
    metrics BLOB NOT NULL,             -- file -> content
    params BLOB NOT NULL,              -- file -> content
    UNIQUE (repository, baseline_sha, name)
) STRICT;

CREATE TABLE series (
    id INTEGER PRIMARY KEY,
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    path TEXT NOT NULL,
    "column" TEXT NOT NULL,
    UNIQUE (experiment, path, "column")
) STRICT;

-- The key is the row itself: a resend changes nothing, late rows land in their place, several rows at a step stay.
CREATE TABLE point (
    series INTEGER NOT NULL,
    step INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,        -- milliseconds, as the row said; 0 where it said nothing
    value ANY NOT NULL,                -- number, or 'nan'
    received_us INTEGER NOT NULL,      -- rises strictly from row to row: which of a step's rows is the newest
    PRIMARY KEY (series, step, timestamp, value)
) STRICT, WITHOUT ROWID;

-- Buckets of 2^level steps (6, 8, 10, 14), of newest rows only, each written when a later bucket's first point comes and
-- again when a late point falls into it. What lies beyond the last closed bucket is read from the level below.
CREATE TABLE rollup (
    series INTEGER NOT NULL,
    level INTEGER NOT NULL,
    bucket INTEGER NOT NULL,           -- step >> level
    last_step INTEGER NOT NULL,
    last ANY NOT NULL,
    last_us INTEGER NOT NULL,          -- when that row was measured, else received
    minimum REAL,                      -- of finite values
    maximum REAL,
    count INTEGER NOT NULL,            -- steps
    PRIMARY KEY (series, level, bucket)
) STRICT, WITHOUT ROWID;

CREATE TABLE image (
    id INTEGER PRIMARY KEY,
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    path TEXT NOT NULL,
    step INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    UNIQUE (experiment, path, step, sha256)
) STRICT;

-- A plot's own properties, and for one that is no series its rows: the newest by (session, step) stays.
CREATE TABLE plot (
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    path TEXT NOT NULL,
    props BLOB NOT NULL,               -- what the client sent beside the rows
    session INTEGER NOT NULL,
    step INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    content BLOB,                      -- rows as JSON; NULL for a series
    PRIMARY KEY (experiment, path)
) STRICT;

CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    experiment INTEGER NOT NULL REFERENCES experiment (id),
    time_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    detail BLOB NOT NULL               -- JSON object
) STRICT;
CREATE INDEX event_experiment ON event (experiment, id);

CREATE TABLE project (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- no id comes twice: tokens are limited to one
    name TEXT NOT NULL,
    repository TEXT NOT NULL,
    repo_url TEXT NOT NULL,
    subdir TEXT NOT NULL DEFAULT '',
    automatic INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    UNIQUE (repository, subdir)
) STRICT;

CREATE TABLE change (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    experiment INTEGER NOT NULL,
    kind TEXT NOT NULL,
    time_us INTEGER NOT NULL
) STRICT;
CREATE INDEX change_experiment ON change (experiment, seq);
