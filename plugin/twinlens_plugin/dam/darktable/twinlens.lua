--[[
twinlens in darktable: which of these photos are duplicates, and which look alike?

Written by `twinlens plugin install darktable`, and taken away by `twinlens plugin remove darktable`.
For the Lua API 7 and later (darktable 3.6). It only sets what darktable keeps of photos: the
selection, groups, the reject flag, tags. What twinlens knows comes from its own library:
`twinlens scan FOLDER` reads the photos.
]]

local dt = require "darktable"
local commands = require "twinlens.lib.commands"
local imports = require "twinlens.lib.imports"
local program = require "twinlens.lib.program"

local OLDEST_API = 7

local BUTTONS = {
  { "group duplicates", commands.group,
    "group each photo acted on with its duplicates,\nthe one to keep on top" },
  { "reject the rest", commands.reject,
    "reject what is spare of these groups:\nnever the one to keep,\nnor what has stars or edits" },
  { "not duplicates", commands.not_duplicates,
    "remember that these photos are\nno duplicates of one another" },
  { "find similar", commands.similar,
    "show the photos that look like this one" },
}

local function register_preferences()
  dt.preferences.register("twinlens", "program", "string", "twinlens: program",
    "the program twinlens, with its folder; empty: the one that installed this script", "")
  dt.preferences.register("twinlens", "library", "string", "twinlens: library",
    "folder of the twinlens library; empty: its own choice", "")
  dt.preferences.register("twinlens", "check_imports", "bool", "twinlens: check imported photos",
    "after an import, tag what is in the twinlens library already", false)
end

local function panel()
  local box = dt.new_widget("box") { orientation = "vertical" }
  for i, button in ipairs(BUTTONS) do
    box[i] = dt.new_widget("button") {
      label = button[1], tooltip = button[3], clicked_callback = function() button[2]() end,
    }
  end
  return box
end

local function register_panel()
  dt.register_lib("twinlens", "twinlens", true, false,
    { [dt.gui.views.lighttable] = { "DT_UI_CONTAINER_PANEL_RIGHT_CENTER", 100 } }, panel())
end

-- Modules can be registered only while the lighttable is shown.
local function register_panel_soon()
  if dt.gui.current_view().id == "lighttable" then
    return register_panel()
  end
  local done = false
  dt.register_event("twinlens", "view-changed", function(_, _, view)
    if not done and view.id == "lighttable" then
      done = true
      register_panel()
    end
  end)
end

local function register_shortcuts()
  dt.register_event("twinlens_select", "shortcut", commands.select, "twinlens: select duplicates")
  for _, button in ipairs(BUTTONS) do
    dt.register_event("twinlens_" .. button[1]:gsub(" ", "_"), "shortcut",
      function() button[2]() end, "twinlens: " .. button[1])
  end
end

if dt.configuration.api_version_major < OLDEST_API then
  dt.print_error("twinlens needs darktable 3.6 or later")
  return
end

register_preferences()
dt.gui.libs.select.register_selection("twinlens_select", "select duplicates",
  commands.select_button, "select the photos selected, and all their duplicates")
register_panel_soon()
register_shortcuts()
dt.register_event("twinlens", "post-import-image", imports.arrived)
dt.register_event("twinlens", "exit", program.stop_all)
