"""The Lua scripts. Each runs atomically, and its effects reach the append-only file as one transaction.

A script that must also work when the server is at its memory limit begins with PERSIST: Redis refuses commands
that may use memory only until a script has written something, and PERSIST writes, is never refused and changes
nothing here. Without it a full server could take neither commits nor leases, hence could never be trimmed.
"""

from __future__ import annotations

from typing import Final

APPEND: Final = """
-- KEYS: log, head.  ARGV: key, value, headers of each message.  Returns the offset of the first one.
local head = redis.call('HMGET', KEYS[2], 'n', 't')
local first = tonumber(head[1]) or 0
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local last = tonumber(head[2]) or 0
if now < last then now = last end
local t = string.format('%d', now)
local n = first
for i = 1, #ARGV, 3 do
  n = n + 1
  redis.call('XADD', KEYS[1], string.format('%d-0', n),
             'k', ARGV[i], 'v', ARGV[i + 1], 'h', ARGV[i + 2], 't', t)
end
redis.call('HSET', KEYS[2], 'n', string.format('%d', n), 't', t)
return first
"""

SYNC: Final = """
-- Join or renew, and take one's fair share.  KEYS: members, owners, changes.
-- ARGV: member, lease in ms, then the names of all partitions.  Returns {kept, newly taken}.
redis.call('PERSIST', KEYS[1])
local me = ARGV[1]
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
local changed = not redis.call('ZSCORE', KEYS[1], me)
local expired = string.format('%d', now)
-- While the server was away nobody could renew: after its start everybody gets the time of one lease for it.
local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)'))
if uptime * 1000 <= tonumber(ARGV[2]) then expired = '-inf' end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', expired)) do
  if gone ~= me then
    redis.call('ZREM', KEYS[1], gone)
    changed = true
  end
end
redis.call('ZADD', KEYS[1], string.format('%d', now + tonumber(ARGV[2])), me)
local members = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(members)
local alive = {}
local rank = 0
for i, member in ipairs(members) do
  alive[member] = true
  if member == me then rank = i end
end
local total = #ARGV - 2
local share = math.floor(total / #members)
if rank <= total % #members then share = share + 1 end
local kept, free, taken = {}, {}, {}
for i = 3, #ARGV do
  local owner = redis.call('HGET', KEYS[2], ARGV[i])
  if owner == me then kept[#kept + 1] = ARGV[i]
  elseif not owner or not alive[owner] then free[#free + 1] = ARGV[i] end
end
while #kept > share do
  redis.call('HDEL', KEYS[2], table.remove(kept))
  changed = true
end
for _, partition in ipairs(free) do
  if #kept + #taken >= share then break end
  redis.call('HSET', KEYS[2], partition, me)
  taken[#taken + 1] = partition
end
if changed then redis.call('XADD', KEYS[3], 'MAXLEN', '1', '*', 'by', me) end
return {kept, taken}
"""

RENEW: Final = """
-- Prolong a lease that still stands.  KEYS: members.  ARGV: member, lease in ms.
redis.call('PERSIST', KEYS[1])
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
return redis.call('ZADD', KEYS[1], 'XX', string.format('%d', now + tonumber(ARGV[2])), ARGV[1])
"""

LEAVE: Final = """
-- Give everything back at once.  KEYS: members, owners, changes.  ARGV: member.
redis.call('PERSIST', KEYS[1])
local owners = redis.call('HGETALL', KEYS[2])
for i = 1, #owners, 2 do
  if owners[i + 1] == ARGV[1] then redis.call('HDEL', KEYS[2], owners[i]) end
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '1', '*', 'by', ARGV[1])
return 1
"""

ENROL: Final = """
-- Make the group known to the log, so that nothing it has not read is trimmed.  KEYS: log.  ARGV: group.
redis.call('PERSIST', KEYS[1])
local answer = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if answer.err and not string.find(answer.err, 'BUSYGROUP') then return answer end
return 1
"""

COMMIT: Final = """
-- Move the group's cursor, if the member still owns the partition.
-- KEYS: log, owners.  ARGV: group, cursor id, partition name, member.
redis.call('PERSIST', KEYS[1])
if redis.call('HGET', KEYS[2], ARGV[3]) ~= ARGV[4] then return 0 end
redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], ARGV[2])
return 1
"""

OFFSETS_AT: Final = """
-- Binary search over the dense ids.  KEYS: log, head.  ARGV: times in ms.  Returns an offset for each.
local n = tonumber(redis.call('HGET', KEYS[2], 'n')) or 0
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
local first = n
if oldest[1] then first = tonumber(string.match(oldest[1][1], '^%d+')) - 1 end
local answer = {}
for i, wanted in ipairs(ARGV) do
  local low, high = first, n
  local time = tonumber(wanted)
  while low < high do
    local middle = math.floor((low + high) / 2)
    local id = string.format('%d-0', middle + 1)
    local fields = redis.call('XRANGE', KEYS[1], id, id)[1][2]
    local t = 0
    for f = 1, #fields, 2 do
      if fields[f] == 't' then t = tonumber(fields[f + 1]) end
    end
    if t < time then low = middle + 1 else high = middle end
  end
  answer[i] = low
end
return answer
"""
