-- Rule sheets of a city: every row as it stands there, what was understood of it, and what a person decided.

CREATE TABLE catalogues (
    id           int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL,
    filename     text NOT NULL,
    bare_day     text NOT NULL,
    bare_hour    text NOT NULL,
    imported_at  timestamptz NOT NULL,
    imported_by  text NOT NULL,
    published_at timestamptz,
    published_by text NOT NULL DEFAULT ''
);
CREATE TABLE standards (
    catalogue   int NOT NULL REFERENCES catalogues (id),
    code        text NOT NULL,
    row         int NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('component', 'event')),
    big_class   text NOT NULL,
    small_class text NOT NULL,
    class_code  text NOT NULL,
    condition   text NOT NULL,
    units       text[] NOT NULL,
    departments text[] NOT NULL,
    limit_text  text NOT NULL,
    limit_min   int CHECK (limit_min > 0),
    clock_kind  text,
    assumed     boolean NOT NULL DEFAULT false,
    odd         text NOT NULL DEFAULT '',
    closing     text NOT NULL DEFAULT '',
    decided_by  text NOT NULL DEFAULT '',
    decided_at  timestamptz,
    decided_why text NOT NULL DEFAULT '',
    PRIMARY KEY (catalogue, code),
    CHECK ((limit_min IS NULL) = (clock_kind IS NULL))
);
CREATE INDEX standards_class ON standards (catalogue, class_code);
