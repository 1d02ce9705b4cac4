-- 行政执法案件. `enforcement_messages` keeps every message of a case; `enforcement_cases` how it stands by the newest.
-- `incident`, or `about_source` and `about_message`: the event that caused it, as its platform names it. Which incident that
-- is today is looked up when it is asked for: it may not be there yet, and sources move when incidents are merged.
CREATE TABLE enforcement_messages (
    source        text NOT NULL,
    message_id    text NOT NULL,
    digest        bytea NOT NULL,
    ledger_id     int NOT NULL,
    received_at   timestamptz NOT NULL,
    feed          text NOT NULL,
    number        text NOT NULL,
    time          timestamptz NOT NULL,
    title         text NOT NULL,
    unit          text NOT NULL,
    stage         text NOT NULL,
    result        text NOT NULL,
    incident      text NOT NULL,
    about_source  text NOT NULL,
    about_message text NOT NULL,
    opened_at     timestamptz NOT NULL,
    closed_at     timestamptz,
    PRIMARY KEY (source, message_id)
);
CREATE INDEX enforcement_messages_ledger ON enforcement_messages (ledger_id);
CREATE INDEX enforcement_messages_case ON enforcement_messages (feed, number, time);

CREATE TABLE enforcement_cases (
    feed          text NOT NULL,
    number        text NOT NULL,
    time          timestamptz NOT NULL,
    title         text NOT NULL,
    unit          text NOT NULL,
    stage         text NOT NULL,
    result        text NOT NULL,
    opened_at     timestamptz NOT NULL,
    closed_at     timestamptz,
    incident      text NOT NULL DEFAULT '',
    about_source  text NOT NULL DEFAULT '',
    about_message text NOT NULL DEFAULT '',
    named_at      timestamptz,
    PRIMARY KEY (feed, number)
);
CREATE INDEX enforcement_cases_opened ON enforcement_cases (opened_at, feed, number);
CREATE INDEX enforcement_cases_open ON enforcement_cases (opened_at, feed, number) WHERE result = '';
CREATE INDEX enforcement_cases_incident ON enforcement_cases (incident) WHERE incident <> '';
CREATE INDEX enforcement_cases_about ON enforcement_cases (about_source, about_message) WHERE about_message <> '';
