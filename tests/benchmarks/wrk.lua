-- Sends the bodies of a file (one JSON document a line) in turn and reports the run as one line of JSON.
-- Every request is formatted before the clock starts, so that the generator costs the same for every competitor.

local requests = {}
local position = 0

function init(args)
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
  io.write(string.format(
    '\n{"seconds":%.6f,"requests":%d,"p50_ms":%.4f,"p90_ms":%.4f,"p99_ms":%.4f,"max_ms":%.4f,' ..
    '"status_errors":%d,"socket_errors":%d,"timeouts":%d}\n',
    summary.duration / 1e6, summary.requests,
    latency:percentile(50) / 1e3, latency:percentile(90) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
