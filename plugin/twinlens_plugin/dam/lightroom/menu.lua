--[[
What every menu entry does around its work: a task, a progress that can be cancelled, one message.
]]

local LrApplication = import "LrApplication"
local LrDialogs = import "LrDialogs"
local LrFunctionContext = import "LrFunctionContext"
local LrProgressScope = import "LrProgressScope"

local photos = require "photos"

--[[ Starts work(scope, paths, by_path) on the selected photos, at least `least` of them. It returns a
line to show, or nil for nothing, and a second one to put below it. ]]
return function(title, least, work)
  LrFunctionContext.postAsyncTaskWithContext("twinlens: " .. title, function(context)
    LrDialogs.attachErrorDialogToFunctionContext(context)
    local scope = LrProgressScope({ title = "twinlens: " .. title, functionContext = context })
    scope:setCancelable(true)
    local selected = LrApplication.activeCatalog():getTargetPhotos()
    local paths, by_path, left_out = photos.paths(selected)
    if #paths < least then
      local what = least == 1 and "a photo" or "two photos or more"
      LrDialogs.message("Select " .. what .. ".", left_out, "info")
    else
      local line, more = work(scope, paths, by_path)
      if line then
        local below = more and left_out and more .. "\n" .. left_out or more or left_out
        LrDialogs.message(line, below, "info")
      end
    end
    scope:done()
  end)
end
