--[[
The hands of a user in the real darktable: imports two folders, selects, and presses the shortcuts. What
was seen is written, a line each, to the file that the environment names; the last line is "done".
]]

local dt = require "darktable"

local out = assert(io.open(os.getenv("TWINLENS_TEST_LOG"), "w"))
out:setvbuf("no")

local function log(...)
  out:write(table.concat({ ... }, " "), "\n")
end

local function wait_until(what, holds)
  for _ = 1, 600 do
    if holds() then
      return
    end
    dt.control.sleep(50)
  end
  error("waited in vain for: " .. what)
end

local function image(name)
  for i = 1, #dt.database do
    if dt.database[i].filename == name then
      return dt.database[i]
    end
  end
  error("no image " .. name)
end

local function names(images)
  local found = {}
  for i, one in ipairs(images) do
    found[i] = one.filename
  end
  table.sort(found)
  return table.concat(found, " ")
end

local function press(label)
  dt.gui.action("lua/twinlens: " .. label, 0, "", "", 1.0)
end

local function use()
  wait_until("the lighttable", function() return dt.gui.current_view().id == "lighttable" end)
  for _, folder in ipairs({ "in", "out" }) do
    dt.database.import(os.getenv("TWINLENS_TEST_PHOTOS") .. "/" .. folder)
  end
  wait_until("the import", function() return #dt.database == 5 end)
  log("imported", names(dt.database))

  dt.gui.selection({ image("twin.jpg") })
  press("select duplicates")
  wait_until("the selection", function() return #dt.gui.selection() == 3 end)
  log("selected", names(dt.gui.selection()))

  wait_until("the group", function()
    press("group duplicates") -- "still busy" until the selection has said what it did
    dt.control.sleep(500)
    return image("twin.jpg").group_leader.filename == "best.jpg"
      and image("small.jpg").group_leader.filename == "best.jpg"
  end)
  wait_until("the end of the job", function()
    press("reject the rest") -- "still busy" until then
    dt.control.sleep(500)
    return image("twin.jpg").rating == -1 and image("small.jpg").rating == -1
  end)

  dt.gui.selection({ image("best.jpg") })
  wait_until("the collection", function()
    press("find similar")
    dt.control.sleep(1000)
    return dt.gui.libs.collect.filter()[1].data == "darktable|twinlens|similar"
  end)
  log("collected", names(dt.collection))
end

dt.control.dispatch(function()
  local ok, wrong = pcall(use)
  log(ok and "done" or "failed " .. tostring(wrong))
end)
