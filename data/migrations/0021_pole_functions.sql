-- The eight functions of a smart lamp pole are those of the plan (JM:906); a function may have several members: air and
-- weather are its environment, screen and loudspeaker its information.
ALTER TABLE composite_members DROP CONSTRAINT composite_members_function_check;
UPDATE composite_members SET function = CASE function
    WHEN 'weather' THEN 'environment' WHEN 'air' THEN 'environment' WHEN 'screen' THEN 'information'
    WHEN 'broadcast' THEN 'information' WHEN 'video' THEN 'traffic' ELSE function END;
ALTER TABLE composite_members ADD CONSTRAINT composite_members_function_check CHECK (function IN
    ('lighting', 'wifi', 'environment', 'traffic', 'information', 'cell_5g', 'emergency_call', 'charging'));
