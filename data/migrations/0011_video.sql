-- One camera, one file (一机一档): what the registry did not hold yet. Units and areas that may view besides what the
-- word in share_range says; addresses at the city's media server; the picture's state and the camera's own.
ALTER TABLE cameras
    ADD COLUMN unit          text NOT NULL DEFAULT '',
    ADD COLUMN share_units   text[] NOT NULL DEFAULT '{}',
    ADD COLUMN share_areas   text[] NOT NULL DEFAULT '{}',
    ADD COLUMN platform      text NOT NULL DEFAULT '',
    ADD COLUMN gb_channel    text NOT NULL DEFAULT '',
    ADD COLUMN hls_url       text NOT NULL DEFAULT '',
    ADD COLUMN webrtc_url    text NOT NULL DEFAULT '',
    ADD COLUMN picture_state text NOT NULL DEFAULT 'unknown'
        CHECK (picture_state IN ('unknown', 'good', 'blurred', 'blocked', 'displaced', 'lost')),
    ADD COLUMN picture_at    timestamptz,
    ADD COLUMN status        text NOT NULL DEFAULT 'in_use' CHECK (status IN ('in_use', 'repair', 'retired')),
    ADD COLUMN registered_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX cameras_place ON cameras (lat, lon);

-- A city's own lines over the shipped table of foreign alarm types (streams/adapters/kinds.json), and the cameras
-- behind the channels of its video systems.
CREATE TABLE camera_alarm_maps (
    source text NOT NULL,
    code   text NOT NULL,
    kind   text NOT NULL,
    PRIMARY KEY (source, code)
);
CREATE TABLE camera_channels (
    feed    text NOT NULL,
    channel text NOT NULL,
    camera  text NOT NULL,
    PRIMARY KEY (feed, channel)
);

-- How long the alarms of one scene (camera × kind) are one occurrence after the last of them, in seconds. camera ''
-- means all cameras; without a line it is as long as the incident is open.
CREATE TABLE alarm_windows (
    kind     text NOT NULL,
    camera   text NOT NULL DEFAULT '',
    window_s int NOT NULL CHECK (window_s > 0),
    PRIMARY KEY (kind, camera)
);

-- A camera set aside for a while: its alarms are stored and counted and make no incident. It comes back by itself.
CREATE TABLE camera_shelves (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera   text NOT NULL REFERENCES cameras (code),
    reason   text NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz NOT NULL,
    by_login text NOT NULL,
    ended_at timestamptz,
    ended_by text NOT NULL DEFAULT '',
    CHECK (until > since)
);
CREATE UNIQUE INDEX camera_shelves_open ON camera_shelves (camera) WHERE ended_at IS NULL;

ALTER TABLE intake
    ADD COLUMN alarm_kind text NOT NULL DEFAULT '',
    ADD COLUMN algorithm  text NOT NULL DEFAULT '',
    ADD COLUMN shelf_id   bigint REFERENCES camera_shelves (id),
    ADD COLUMN aside      text NOT NULL DEFAULT '' CHECK (aside IN ('', 'observed', 'shelved'));
-- What was set aside (sensed by a shelved camera, or of a kind that is only observed) is stored and never triaged.
DROP INDEX intake_pending;
CREATE INDEX intake_pending ON intake (id) WHERE incident_id IS NULL AND aside = '';
CREATE INDEX intake_shelf ON intake (shelf_id) WHERE shelf_id IS NOT NULL;
CREATE INDEX intake_alarms ON intake (time) WHERE kind = 'alarm';

-- Asking to view a camera, the answer, and until when it may be viewed.
CREATE TABLE view_requests (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    camera     text NOT NULL REFERENCES cameras (code),
    account    bigint NOT NULL REFERENCES accounts (id),
    reason     text NOT NULL,
    asked_at   timestamptz NOT NULL,
    incident   bigint REFERENCES incidents (id),
    state      text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'approved', 'refused')),
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz,
    answer     text NOT NULL DEFAULT '',
    expires_at timestamptz,
    link_hash  bytea UNIQUE
);
CREATE INDEX view_requests_open ON view_requests (id) WHERE state = 'asked';
CREATE INDEX view_requests_account ON view_requests (account, id DESC);

-- Kinds of alarm that cameras of any maker may send, without a class (data/camera_kinds.csv gives them to new cities).
-- A kind that does not file is only observed: its alarms are stored and counted and make no incident.
ALTER TABLE camera_alarm_kinds ADD COLUMN files boolean NOT NULL DEFAULT true;
INSERT INTO camera_alarm_kinds (kind, name, name_en, class_code, level, files)
SELECT * FROM (VALUES
    ('video_alarm', '视频报警', 'Video alarm', '', 4, true),
    ('manual_video', '人工视频报警', 'Video alarm by hand', '', 3, true),
    ('motion', '运动目标', 'Motion', '', 4, false),
    ('person_seen', '人员出现', 'Person seen', '', 4, false),
    ('vehicle_seen', '车辆出现', 'Vehicle seen', '', 4, false),
    ('bicycle_seen', '自行车出现', 'Bicycle seen', '', 4, false),
    ('animal_seen', '动物出现', 'Animal seen', '', 4, false),
    ('face_seen', '人脸出现', 'Face seen', '', 4, false),
    ('left_object', '遗留物', 'Object left behind', '', 3, true),
    ('object_removed', '物体移除', 'Object removed', '', 3, true),
    ('line_crossing', '越线', 'Line crossed', '', 4, true),
    ('zone_intrusion', '区域入侵', 'Zone intrusion', '', 3, true),
    ('zone_entry', '进入区域', 'Zone entered', '', 4, true),
    ('zone_exit', '离开区域', 'Zone left', '', 4, false),
    ('wrong_way', '逆行', 'Wrong way', '', 3, true),
    ('loitering', '徘徊', 'Loitering', '', 4, true),
    ('flow_count', '流量统计', 'Flow count', '', 4, false),
    ('density', '密度超限', 'Density', '', 3, true),
    ('fast_moving', '快速移动', 'Fast movement', '', 4, true),
    ('parking', '停车', 'Parking', '', 4, false),
    ('bicycle_parking', '非机动车违停', 'Bicycle parked where it must not', '', 4, true),
    ('distance_abnormal', '距离异常', 'Distance abnormal', '', 4, true),
    ('umbrella', '违规撑伞', 'Umbrella set up', '', 4, true),
    ('dirty_front', '门前脏乱', 'Dirty shop front', '', 4, true),
    ('bin_overflow', '垃圾桶满溢', 'Bin overflowing', '', 4, true),
    ('sound_abnormal', '声音异常', 'Sound abnormal', '', 4, false),
    ('picture_abnormal', '视频异常', 'Picture abnormal', '', 4, false),
    ('picture_blocked', '图像遮挡', 'Picture blocked', '', 4, false),
    ('video_loss', '视频丢失', 'Video lost', '', 4, false),
    ('tamper', '设备防拆', 'Device tampered with', '', 3, true),
    ('disk_full', '存储满', 'Storage full', '', 4, false),
    ('disk_fault', '存储故障', 'Storage fault', '', 4, false),
    ('fan_fault', '风扇故障', 'Fan fault', '', 4, false),
    ('device_hot', '设备高温', 'Device hot', '', 4, false),
    ('device_cold', '设备低温', 'Device cold', '', 4, false),
    ('device_alarm', '设备报警', 'Device alarm', '', 3, true),
    ('device_fault', '设备故障', 'Device fault', '', 4, false),
    ('phone_alarm', '电话报警', 'Alarm by telephone', '', 3, true),
    ('sms_alarm', '短信报警', 'Alarm by text message', '', 3, true),
    ('gps_alarm', '定位报警', 'Alarm by position', '', 3, true),
    ('other_alarm', '其他报警', 'Other alarm', '', 4, true)
) AS v WHERE EXISTS (SELECT 1 FROM city) ON CONFLICT (kind) DO NOTHING;
UPDATE registry_version SET n = n + 1;
