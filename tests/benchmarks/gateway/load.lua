-- What wrk sends. Arguments after "--": kind (json or stream), number of models, key ("" for none), and requests a
-- second in all with the number of connections they are spread over (0 0: as fast as answers come).
-- The last line on standard output is one JSON object with all that is counted.

local messages = {}
local next_message = 0

function init(arguments)
  local kind, models, key = arguments[1], tonumber(arguments[2]), arguments[3]
  local rate, connections = tonumber(arguments[4]), tonumber(arguments[5])
  math.randomseed(42 + tonumber(arguments[6] or 0))
  if rate > 0 then
    -- between no pause and twice the mean: connections must not fall into step
    local longest_ms = math.floor(2000 * connections / rate + 0.5)
    function delay()
      return math.random(0, longest_ms)
    end
  end
  -- some 800 bytes of prompt, as a short conversation has
  local prompt = string.rep("What does a partition of a GPU share with the one beside it? ", 13)
  local headers = { ["Content-Type"] = "application/json" }
  if key ~= "" then
    headers["Authorization"] = "Bearer " .. key
  end
  for index = 0, models - 1 do
    local body = '{"model":"mock/model-' .. index .. '","messages":[{"role":"user","content":"' .. prompt
      .. '"}],"max_tokens":64' .. (kind == "stream" and ',"stream":true}' or "}")
    messages[index] = wrk.format("POST", "/v1/chat/completions", headers, body)
  end
  next_message = math.random(0, models - 1)
end

function request()
  next_message = next_message + 1
  if messages[next_message] == nil then
    next_message = 0
  end
  return messages[next_message]
end

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%.6f,"bytes":%d,"p50_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,'
      .. '"connect":%d,"read":%d,"write":%d,"status":%d,"timeout":%d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, latency:percentile(50) / 1000,
    latency:percentile(99) / 1000, latency.max / 1000, errors.connect, errors.read, errors.write, errors.status,
    errors.timeout
  ))
end
