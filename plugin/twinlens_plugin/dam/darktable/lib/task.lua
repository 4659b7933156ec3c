--[[
One thing that twinlens does at a time: with a job in darktable's corner that can be stopped, and one
line at the end that says what was done.
]]

local dt = require "darktable"
local json = require "twinlens.lib.json"
local answers = require("twinlens.lib.answers")(json)
local program = require "twinlens.lib.program"

local task = {}

local FAILED = "twinlens did not work, and did not say why. Try in a terminal: twinlens status"

local busy

local function say(text)
  if text then
    dt.print("twinlens: " .. text)
    dt.print_log("twinlens: " .. text)
  end
end

task.say = say

-- Returns the line to show, and what work(self) returned after it.
local function perform(title, work)
  local self = { stopped = false }
  self.job = dt.gui.create_job("twinlens: " .. title, true, function() program.stop(self) end)
  local ok, line, answer = pcall(work, self)
  if self.job.valid then
    self.job.valid = false
  end
  if ok then
    return line, answer
  end
  dt.print_error(tostring(line))
  return "that did not work: " .. tostring(line):gsub("\n.*", "")
end

--[[ Does work(self), unless something else is being done. The line that it returns is shown, whatever
it returns second is returned. `self.stopped` says that its user wants it to end. ]]
function task.run(title, work)
  if busy then
    return say("still busy: " .. busy)
  end
  busy = title
  local line, answer = perform(title, work)
  busy = nil
  say(line)
  return answer
end

--- The same, beside whatever else is being done.
function task.run_beside(title, work)
  say((perform(title, work)))
end

--- Calls act(item) with each item, and shows how far it is; returns how many were done when stopped.
function task.each(self, items, act)
  for i, item in ipairs(items) do
    if self.stopped or dt.control.ending then
      return i - 1
    end
    act(item)
    self.job.percent = i / #items
    dt.control.sleep(0) -- lets others have the lock: the cancel button too
  end
  return #items
end

--[[ Asks twinlens about paths. Returns its answer, and its remarks as one line or nil; nil and the
line to show where there is no answer. `fine`: exit codes that are no failure, beside 0. ]]
function task.ask(self, command, paths, fine)
  local status, answer, said, wrong = program.run(self, command, paths)
  local remarks = answers.remarks(said)
  if self.stopped then
    return nil, "stopped"
  elseif wrong then
    return nil, wrong
  elseif status ~= 0 and not (fine and fine[status]) then
    return nil, remarks or FAILED
  end
  return answer, remarks
end

return task
