--[[
Asks twinlens about photos and waits for its answer, while Lightroom goes on. Call it in a task.

A question that is cancelled is dropped: twinlens runs to its end, changes nothing, and what it
answers is thrown away. There is no way to stop it that works on both systems.
]]

local LrErrors = import "LrErrors"
local LrFileUtils = import "LrFileUtils"
local LrPathUtils = import "LrPathUtils"
local LrPrefs = import "LrPrefs"
local LrTasks = import "LrTasks"

local command = require "command"
local installed = require "installed"
local answers = require "answers"(require "json")

local POLL_SECONDS = 0.1

local FAILED = "twinlens did not work, and did not say why. Try in a terminal: twinlens status"

local function filled(text)
  return text ~= nil and text ~= ""
end

-- What is set in the Plug-in Manager stands above what twinlens wrote when it was installed.
local function words(given, list)
  local prefs, line = LrPrefs.prefsForPlugin(), {}
  local function add(more)
    for _, word in ipairs(more) do
      line[#line + 1] = word
    end
  end
  add(filled(prefs.program) and { prefs.program } or installed.program)
  add(given)
  add({ "--json", "-0", "--files-from", list })
  add(installed.options)
  add(filled(prefs.library) and { "--library", prefs.library } or {})
  return line
end

-- Returns the paths of three new files, and a function that deletes them.
local function new_files()
  local temp = LrPathUtils.getStandardFilePath("temp")
  local base = LrFileUtils.chooseUniqueFileName(LrPathUtils.child(temp, "twinlens"))
  LrFileUtils.createDirectory(base)
  local files = {}
  for _, name in ipairs({ "list", "answer", "remarks" }) do
    files[name] = LrPathUtils.child(base, name)
  end
  return files, function()
    for _, path in pairs(files) do
      LrFileUtils.delete(path)
    end
    LrFileUtils.delete(base)
  end
end

local function write_list(path, paths)
  local file, wrong = io.open(path, "wb")
  if not file then
    LrErrors.throwUserError("No list can be written: " .. tostring(wrong) .. ". Make space.")
  end
  for _, one in ipairs(paths) do
    file:write(one, "\0")
  end
  file:close()
end

-- Returns the exit code; nil where it was cancelled. Then `clean` is called when twinlens has ended.
local function wait(line, scope, clean)
  local status, dropped
  LrTasks.startAsyncTask(function()
    status = LrTasks.execute(line)
    if dropped then
      clean()
    end
  end)
  while status == nil do
    if scope:isCanceled() then
      dropped = true
      return nil
    end
    LrTasks.sleep(POLL_SECONDS)
  end
  return command.exit_code(status)
end

--[[ Returns the text that twinlens answers about paths, and its remarks as one line or nil; or nil
and what to tell, nothing where it was cancelled. With `partly`, an answer counts though twinlens
found fault with some photos (exit code 1). ]]
return function(scope, given, paths, partly)
  local files, clean = new_files()
  write_list(files.list, paths)
  local line, wrong =
    command.line(words(given, files.list), files.answer, files.remarks, WIN_ENV)
  if not line then
    clean()
    return nil, wrong
  end
  local code = wait(line, scope, clean)
  if code == nil then
    return nil
  end
  local answer = LrFileUtils.readFile(files.answer) or ""
  local remarks = answers.remarks(LrFileUtils.readFile(files.remarks) or "")
  clean()
  if code == 0 or (partly and code == 1 and answer ~= "") then
    return answer, remarks
  end
  return nil, remarks or FAILED .. " Is the program right in File > Plug-in Manager > twinlens?"
end
