-- Sends the bodies of a file (one JSON document a line) in turn and reports the run as one line of JSON.
-- Every request is formatted before the clock starts, so that the generator costs the same for every competitor.

-- With "statuses" as a second argument it counts every answer's status, at the generator's cost.

local requests = {}
local position = 0
local threads = {}
statuses = {}

function setup(thread)
  threads[#threads + 1] = thread
end

local function count(status)
  local key = tostring(status)
  statuses[key] = (statuses[key] or 0) + 1
end

function init(args)
  if args[2] == "statuses" then
    response = count
  end
  local headers = { ["Content-Type"] = "application/json", ["Host"] = wrk.headers["Host"] }
  for body in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, body)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency, _)
  local errors = summary.errors
  local counted = {}
  for _, thread in ipairs(threads) do
    for status, number in pairs(thread:get("statuses")) do
      counted[#counted + 1] = string.format('"%s":%d', status, number)
    end
  end
  io.write(string.format(
    '\n{"seconds":%.6f,"requests":%d,"p50_ms":%.4f,"p90_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,' ..
    '"status_errors":%d,"socket_errors":%d,"timeouts":%d,"statuses":{%s}}\n',
    summary.duration / 1e6, summary.requests,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout,
    table.concat(counted, ",")))
end
