-- 大屏. A screen is a browser that was paired by a code: it has an account of role wall of its own, and its session.
-- `shows`: what it was told to show (incidents/screens.py), `before`: what it showed before that.
CREATE TABLE screens (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account    bigint NOT NULL UNIQUE REFERENCES accounts (id),
    name       text NOT NULL,
    size       text NOT NULL,
    columns    int NOT NULL CHECK (columns BETWEEN 1 AND 16),
    rows       int NOT NULL CHECK (rows BETWEEN 1 AND 16),
    seam_px    int NOT NULL CHECK (seam_px BETWEEN 0 AND 200),
    areas      text[] NOT NULL,
    address    text NOT NULL DEFAULT '',
    paired_by  text NOT NULL,
    paired_at  timestamptz NOT NULL,
    revoked_by text NOT NULL DEFAULT '',
    revoked_at timestamptz,
    shows      jsonb NOT NULL,
    before     jsonb,
    version    bigint NOT NULL DEFAULT 1
);

-- Codes on screens that wait to be paired. Of the browser's secret only the SHA-256 is known.
CREATE TABLE screen_pairings (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    address     text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    screen      bigint REFERENCES screens (id),
    claimed_at  timestamptz
);
CREATE UNIQUE INDEX screen_pairings_code ON screen_pairings (code) WHERE screen IS NULL;
CREATE INDEX screen_pairings_created ON screen_pairings (created_at);

-- Codes typed that were nobody's: counted, so that guessing comes to an end.
CREATE TABLE pairing_guesses (
    id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at    timestamptz NOT NULL,
    login text NOT NULL
);
CREATE INDEX pairing_guesses_at ON pairing_guesses (at);

-- 标绘. `areas`: of its points, each once; whoever sees one of them sees the mark.
CREATE TABLE marks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shape      text NOT NULL CHECK (shape IN ('point', 'line', 'polygon')),
    points     jsonb NOT NULL,
    word       text NOT NULL,
    areas      text[] NOT NULL,
    drawn_by   text NOT NULL,
    drawn_name text NOT NULL,
    drawn_at   timestamptz NOT NULL,
    ends_at    timestamptz NOT NULL,
    cleared_by text NOT NULL DEFAULT '',
    cleared_at timestamptz
);
CREATE INDEX marks_standing ON marks (ends_at) WHERE cleared_at IS NULL;
