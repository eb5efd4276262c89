-- Sends the requests of a file in turn and tells what wrk measured as one line of JSON.
-- Arguments: the file, whose requests are parted by NUL, and the number that replaces the first "#########".
local requests, next_request, number = {}, 0, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for request in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = request
  end
  file:close()
  number = tonumber(arguments[2])
end

function request()
  next_request = next_request % #requests + 1
  number = number + 1
  local filled = requests[next_request]:gsub("#########", string.format("%09d", number))
  return filled
end

function done(summary, latency, requests)
  local errors = summary.errors
  print(string.format(
    'JSON {"requests": %d, "seconds": %.6f, "p50": %.4f, "p95": %.4f, "p99": %.4f, "refused": %d, "broken": %d}',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(95) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
