-- The registry of things: who owns a device, where it stands, when it must be calibrated, and its life.
ALTER TABLE devices ADD COLUMN owner text NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN address text NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN calibration_due date;
ALTER TABLE devices ADD COLUMN status text NOT NULL DEFAULT 'in_service'
    CHECK (status IN ('in_service', 'maintenance', 'retired'));
UPDATE devices SET status = 'retired' WHERE disabled;
ALTER TABLE devices ADD CONSTRAINT devices_retired CHECK (disabled = (status = 'retired'));

-- `status` tells the life of a device, `disabled` only whether it still counts: whoever writes one of them, both agree.
CREATE FUNCTION device_status_agrees() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.disabled THEN
            NEW.status := 'retired';
        END IF;
    ELSIF NEW.disabled IS DISTINCT FROM OLD.disabled AND NEW.status = OLD.status THEN
        NEW.status := CASE WHEN NEW.disabled THEN 'retired' ELSE 'in_service' END;
    END IF;
    NEW.disabled := NEW.status = 'retired';
    RETURN NEW;
END $$;
CREATE TRIGGER devices_status BEFORE INSERT OR UPDATE ON devices
    FOR EACH ROW EXECUTE FUNCTION device_status_agrees();

-- After how many periods with the very same value a metric is stuck; NULL = it may stand still (an empty road, a
-- closed cover). `low` and `high` are what a sound device can report.
ALTER TABLE metrics ADD COLUMN stuck_periods smallint CHECK (stuck_periods > 1);

-- What is known of a device's health; a row for each device that was looked at. The clock's skew (seconds, broker's
-- append time − message's time, the least of a minute's messages: what was late on its way does not count) comes from ingest.
CREATE TABLE device_health (
    device_no        int PRIMARY KEY REFERENCES devices (no),
    state            text NOT NULL DEFAULT 'unknown'
        CHECK (state IN ('unknown', 'online', 'silent', 'faulty', 'maintenance')),
    score            smallint CHECK (score BETWEEN 0 AND 100),
    reasons          jsonb NOT NULL DEFAULT '[]',
    last_reported_at timestamptz,
    looked_at        timestamptz,
    clock_skew_s     double precision,
    clock_skew_at    timestamptz
);

-- Quarantine: `thing` is the device or camera that a held message is of (NULL = nobody has looked into it yet; its
-- `key` says it for most). `released_at` is when it left quarantine, either way.
ALTER TABLE held ADD COLUMN thing text;
ALTER TABLE held ADD COLUMN state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'released', 'rejected'));
ALTER TABLE held ADD COLUMN settled_by text NOT NULL DEFAULT '';
ALTER TABLE held ADD COLUMN reason text NOT NULL DEFAULT '';
UPDATE held SET state = 'released' WHERE released_at IS NOT NULL;
ALTER TABLE held ADD CONSTRAINT held_settled CHECK ((state = 'waiting') = (released_at IS NULL));
CREATE INDEX held_waiting ON held (thing, received_at) WHERE state = 'waiting';
CREATE INDEX held_unseen ON held (received_at) WHERE state = 'waiting' AND thing IS NULL;
CREATE INDEX held_rejected ON held (thing) WHERE state = 'rejected';

-- Things made of things: one entry, a member for each of its functions.
CREATE TABLE composites (
    id        text PRIMARY KEY,
    kind      text NOT NULL CHECK (kind IN ('lamp_pole')),
    name      text NOT NULL DEFAULT '',
    owner     text NOT NULL DEFAULT '',
    unit      text REFERENCES units (code),
    area_path text NOT NULL DEFAULT '',
    cell      text NOT NULL DEFAULT '',
    lon       double precision,
    lat       double precision
);
CREATE TABLE composite_members (
    composite text NOT NULL REFERENCES composites (id),
    function  text NOT NULL CHECK (function IN
        ('lighting', 'video', 'weather', 'air', 'broadcast', 'screen', 'charging', 'emergency_call')),
    device    text REFERENCES devices (id),
    camera    text REFERENCES cameras (code),
    CHECK (num_nonnulls(device, camera) = 1),
    UNIQUE NULLS NOT DISTINCT (composite, function, device, camera)
);
CREATE INDEX composite_members_device ON composite_members (device) WHERE device IS NOT NULL;
CREATE INDEX composite_members_camera ON composite_members (camera) WHERE camera IS NOT NULL;
