-- What a phone says of an order: that it has it (送达), that somebody opened it (已读). Accepted (接单) is `orders.seen_at`.
CREATE TABLE order_receipts (
    order_id    bigint NOT NULL REFERENCES orders (id),
    state       text NOT NULL CHECK (state IN ('delivered', 'seen')),
    login       text NOT NULL,
    at          timestamptz NOT NULL,
    noted_at    timestamptz NOT NULL,
    PRIMARY KEY (order_id, state, login)
);
CREATE TRIGGER order_receipts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON order_receipts
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE incidents ADD COLUMN delivered_at timestamptz, ADD COLUMN opened_at timestamptz;

-- How long forms of the phone take, for the burden of field work: nobody's name, and no moment but the day.
CREATE TABLE form_efforts (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day         date NOT NULL,
    form        text NOT NULL,
    class_code  text NOT NULL,
    area_path   text NOT NULL,
    seconds     real NOT NULL CHECK (seconds >= 0),
    taps        int NOT NULL CHECK (taps >= 0),
    person      text NOT NULL
);
COMMENT ON COLUMN form_efforts.person IS 'a digest that differs each month: counts people of a group, names nobody';
-- What the digest is made with; thrown away with its month, so that nobody can be found by trying names.
CREATE TABLE form_effort_salts (month date PRIMARY KEY, salt text NOT NULL);
CREATE INDEX form_efforts_day ON form_efforts (day);

-- A picture of the scene comes with a remark, before anything is done: what a commander wants to see.
ALTER TABLE incident_photos DROP CONSTRAINT incident_photos_purpose_check;
ALTER TABLE incident_photos ADD CONSTRAINT incident_photos_purpose_check
    CHECK (purpose IN ('report', 'handle', 'check', 'assist', 'scene'));
