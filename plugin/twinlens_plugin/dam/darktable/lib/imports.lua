--[[
What comes in twice: after an import, the photos that are in the twinlens library already get a tag,
and one line says how many. Off until its preference is set.
]]

local dt = require "darktable"
local json = require "twinlens.lib.json"
local answers = require("twinlens.lib.answers")(json)
local photos = require "twinlens.lib.photos"
local task = require "twinlens.lib.task"

local imports = {}

local TAG = "twinlens|there already"
local QUIET_MS = 3000 -- an import is over when nothing came for so long
local SOME_NEW = 3 -- exit code of twinlens check

local arrived = {}
local waiting = false

-- Returns what came in, by path, when nothing more comes.
local function wait_for_the_last()
  local before
  repeat
    before = #arrived
    dt.control.sleep(QUIET_MS)
  until #arrived == before or dt.control.ending
  local images = arrived
  arrived, waiting = {}, false
  return images
end

local function tag_known(images, checked)
  local by_path, tag, known = {}, dt.tags.create(TAG), 0
  for _, image in ipairs(images) do
    by_path[photos.path(image)] = image
  end
  for _, one in ipairs(checked) do
    if one.match and not one.new and by_path[one.path] then
      dt.tags.attach(tag, by_path[one.path])
      known = known + 1
    end
  end
  return known
end

local function check(self, images)
  local answer, remarks =
    task.ask(self, { "check", "--json" }, photos.paths(images), { [1] = true, [SOME_NEW] = true })
  local checked, wrong = answers.objects(answer or "")
  if not answer or not checked then
    return answer and wrong or remarks
  end
  local known = tag_known(images, checked)
  if known == 0 then
    return ("none of %d imported photos was there already"):format(#images)
  end
  return ("%d of %d imported photos were there already; tag: %s"):format(known, #images, TAG)
end

--- Takes note of an imported image; called for each.
function imports.arrived(_, image)
  if not dt.preferences.read("twinlens", "check_imports", "bool") then
    return
  end
  arrived[#arrived + 1] = image
  if not waiting then
    waiting = true
    dt.control.dispatch(function()
      local images = wait_for_the_last()
      if not dt.control.ending then
        task.run_beside("checking what was imported", function(self) return check(self, images) end)
      end
    end)
  end
end

return imports
