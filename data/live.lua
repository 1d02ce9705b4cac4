-- One change of the live state: items set, items removed, the delta appended; all or nothing.
-- KEYS[1] prefix. ARGV: new epoch, mode ('' or 'fill'), largest stream length, largest stream bytes,
-- number of pools, (name, limit)*, number of sets, (kind, key, order, scope, pool, score, json)*,
-- number of removals, (kind, key)*.
-- pool '-': of a kind that is not bounded; '': bounded kind, but this item always stays.
-- A stored item is "order \n scope \n json". Rows of a delta are joined by \n, fields of a row by \31.
local p, US = KEYS[1], '\31'
local at = 5
local function take()
  at = at + 1
  return ARGV[at]
end
local fill = ARGV[2] == 'fill'
local epoch = redis.call('GET', p .. 'epoch')
if not epoch then
  -- An emptied Redis: a new epoch that is not ready, so that nobody mistakes it for the whole state.
  epoch = ARGV[1]
  redis.call('SET', p .. 'epoch', epoch)
end

local function stored(kind, key)
  local text = redis.call('HGET', p .. 'items:' .. kind, key)
  if not text then return nil end
  local a = string.find(text, '\n', 1, true)
  local b = string.find(text, '\n', a + 1, true)
  return string.sub(text, 1, a - 1), string.sub(text, a + 1, b - 1), string.sub(text, b + 1)
end

local pools = {}
for i = 1, tonumber(ARGV[5]) do pools[i] = { take(), tonumber(take()) } end

local rows, index, removed, buried = {}, {}, {}, {}
local seq = tonumber(redis.call('GET', p .. 'n') or '0') + 1

for _ = 1, tonumber(take()) do
  local kind, key, order, scope, pool, score, json = take(), take(), take(), take(), take(), take(), take()
  local id = kind .. US .. key
  local old_order, old_scope, old_json = stored(kind, key)
  local keep = false
  if old_order then
    if order ~= '' and old_order ~= '' then keep = tonumber(order) < tonumber(old_order) else keep = fill end
    if old_json == json and old_scope == scope then keep = true end
  else
    local grave = redis.call('HGET', p .. 'graves', id)
    if grave then
      if grave == '' or order == '' then keep = fill else keep = tonumber(order) < tonumber(grave) end
    end
  end
  if not keep then
    redis.call('HSET', p .. 'items:' .. kind, key, order .. '\n' .. scope .. '\n' .. json)
    for i = 1, pool == '-' and 0 or #pools do
      if pools[i][1] == pool then
        redis.call('ZADD', p .. 'pool:' .. pool, score == '' and seq or score, id)
      else
        redis.call('ZREM', p .. 'pool:' .. pools[i][1], id)
      end
    end
    rows[#rows + 1] = { kind, key, scope, old_scope or '', json }
    index[id] = #rows
  end
end

local function drop(id)
  local cut = string.find(id, US, 1, true)
  local kind, key = string.sub(id, 1, cut - 1), string.sub(id, cut + 1)
  local order, scope = stored(kind, key)
  redis.call('HSET', p .. 'graves', id, order or '')
  redis.call('ZADD', p .. 'graveyard', seq, id)
  if not order then return end
  redis.call('HDEL', p .. 'items:' .. kind, key)
  for i = 1, #pools do redis.call('ZREM', p .. 'pool:' .. pools[i][1], id) end
  local row = index[id]
  if row then
    scope = rows[row][4]
    rows[row] = false
    index[id] = nil
  end
  if scope ~= '' then removed[#removed + 1] = kind .. US .. key .. US .. scope end
end

for _ = 1, tonumber(take()) do
  local kind, key = take(), take()
  drop(kind .. US .. key)
end
for i = 1, #pools do
  local excess = redis.call('ZCARD', p .. 'pool:' .. pools[i][1]) - pools[i][2]
  if excess > 0 then
    for _, id in ipairs(redis.call('ZRANGE', p .. 'pool:' .. pools[i][1], 0, excess - 1)) do drop(id) end
  end
end
local dead = redis.call('ZCARD', p .. 'graveyard') - 10000
if dead > 0 then
  for _, id in ipairs(redis.call('ZRANGE', p .. 'graveyard', 0, dead - 1)) do
    redis.call('HDEL', p .. 'graves', id)
    redis.call('ZREM', p .. 'graveyard', id)
  end
end

local lines = {}
for i = 1, #rows do
  if rows[i] then lines[#lines + 1] = table.concat(rows[i], US) end
end
if #lines == 0 and #removed == 0 then return { epoch, seq - 1 } end
local s, d = table.concat(lines, '\n'), table.concat(removed, '\n')
redis.call('SET', p .. 'n', seq)
local bytes = redis.call('INCRBY', p .. 'bytes', #s + #d)
redis.call('XADD', p .. 'deltas', 'MAXLEN', '~', ARGV[3], seq .. '-0', 'e', epoch, 's', s, 'd', d, 'b', bytes)
-- Large deltas: the stream is bounded by its bytes, too. What is gone from it costs a client a new snapshot.
for _ = 1, 64 do
  local first = redis.call('XRANGE', p .. 'deltas', '-', '+', 'COUNT', 1)[1]
  if not first or first[1] == seq .. '-0' or bytes - tonumber(first[2][8]) < tonumber(ARGV[4]) then break end
  redis.call('XDEL', p .. 'deltas', first[1])
end
return { epoch, seq }
