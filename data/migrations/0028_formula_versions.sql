-- Versions of formulas and of the score that a city has saved; version 1 of what ships with the product is in the product.

CREATE TABLE formula_versions (
    id          text NOT NULL,
    version     int NOT NULL CHECK (version >= 1),
    name        text NOT NULL,
    numerator   text[] NOT NULL,
    denominator text[] NOT NULL,
    exclude     text[] NOT NULL,
    direction   text NOT NULL CHECK (direction IN ('up', 'down')),
    author      text NOT NULL,
    since       date NOT NULL,
    until       date CHECK (until > since),
    reason      text NOT NULL,
    saved_at    timestamptz NOT NULL,
    PRIMARY KEY (id, version)
);
CREATE TABLE score_versions (
    version  int PRIMARY KEY CHECK (version >= 1),
    weights  jsonb NOT NULL,
    author   text NOT NULL,
    since    date NOT NULL,
    reason   text NOT NULL,
    saved_at timestamptz NOT NULL
);
