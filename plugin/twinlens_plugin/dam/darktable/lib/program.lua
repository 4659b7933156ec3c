--[[
Starts twinlens and reads its answer.

darktable.control.execute holds up the Lua thread that calls it and nothing else (its lock is let go
meanwhile, src/lua/call.c), and gives an exit status alone: lists go in and answers come out as
files, in a folder that only its user can read.
]]

local dt = require "darktable"
local installed = require "twinlens.lib.installed"

local program = {}

local WAIT_MS = 50
local NOT_FOUND, NOT_A_PROGRAM = 127, 126

local running = {}

--- Quotes a word for sh: within single quotes all bytes but the single quote are themselves.
function program.quoted(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

local quoted = program.quoted

local function set(name)
  local text = dt.preferences.read("twinlens", name, "string")
  return (text:gsub("^~/", (os.getenv("HOME") or "~") .. "/"))
end

-- The words of a command: what its user set stands above what twinlens wrote at its installation.
local function words(command)
  local line = {}
  local function add(more)
    for _, word in ipairs(more) do
      line[#line + 1] = quoted(word)
    end
  end
  add(set("program") ~= "" and { set("program") } or installed.program)
  add(command)
  add(installed.options)
  add(set("library") ~= "" and { "--library", set("library") } or {})
  return table.concat(line, " ")
end

local function read(path)
  local file = io.open(path, "rb")
  local text = file and file:read("a") or ""
  if file then
    file:close()
  end
  return text
end

local function write_list(path, paths)
  local file, wrong = io.open(path, "wb")
  if not file then
    return wrong
  end
  for _, one in ipairs(paths) do
    file:write(one, "\0")
  end
  file:close()
end

-- os.tmpname makes a file that nobody else can write to; what is in it is what mktemp says.
local function new_folder()
  local name = os.tmpname()
  dt.control.execute("mktemp -d >" .. quoted(name))
  local folder = read(name):match("^(.-)\n$")
  os.remove(name)
  return folder
end

-- One line for people, where twinlens could not even start.
local function why_not(status)
  if status == NOT_FOUND or status == NOT_A_PROGRAM then
    local name = set("program") ~= "" and set("program") or installed.program[1]
    return name .. ": cannot be started. Set the program in preferences > Lua options"
  end
end

-- In the background, so that its number is known and it can be stopped; then waited for.
local function command_line(command, folder)
  local function file(name)
    return quoted(folder .. "/" .. name)
  end
  return ("%s </dev/null >%s 2>%s & echo $! >%s; wait $!; echo $? >%s"):format(
    words(command), file("out"), file("err"), file("pid"), file("status"))
end

--[[ Runs a command of twinlens on paths: --files-from and -0 are added.

Returns its exit status, its answer, what it said beside it, and one line for people where it could
not be started. `task.stopped` says whether its user stopped it meanwhile. ]]
function program.run(task, command, paths)
  local folder = new_folder()
  if not folder then
    return nil, "", "", "no temporary folder can be made. Make space in /tmp"
  end
  local wrong = write_list(folder .. "/list", paths)
  local status, answer, said
  if not wrong and not task.stopped then
    local whole = { table.unpack(command) }
    table.move({ "--files-from", folder .. "/list", "-0" }, 1, 3, #whole + 1, whole)
    running[task] = folder
    dt.control.execute(command_line(whole, folder))
    running[task] = nil
    status = tonumber(read(folder .. "/status"))
    answer, said = read(folder .. "/out"), read(folder .. "/err")
    wrong = why_not(status)
  end
  dt.control.execute("rm -rf " .. quoted(folder))
  return status, answer or "", said or "", wrong
end

--[[ Returns the paths of folders without symbolic links in them, in order; "" where a folder is not
there. One sh for all of them: a hundred film rolls take a tenth of a second. ]]
function program.real_folders(folders)
  local folder = new_folder()
  local real = {}
  if folder and not write_list(folder .. "/list", folders) then
    local each = 'for d do (cd -P -- "$d" 2>/dev/null && pwd -P); printf "\\0"; done'
    dt.control.execute(("xargs -0 sh -c %s sh <%s >%s"):format(
      quoted(each), quoted(folder .. "/list"), quoted(folder .. "/out")))
    for found in read(folder .. "/out"):gmatch("([^\0]*)\0") do
      real[#real + 1] = found:gsub("\n$", "")
    end
    dt.control.execute("rm -rf " .. quoted(folder))
  end
  return real
end

--- Stops what a task runs: the next lines of run() follow then.
function program.stop(task)
  task.stopped = true
  for _ = 1, 40 do
    local folder = running[task]
    local pid = folder and read(folder .. "/pid"):match("^%d+")
    if pid then
      dt.control.execute("kill " .. pid .. " 2>/dev/null")
    end
    if pid or not folder then
      return
    end
    dt.control.sleep(WAIT_MS) -- it was asked for a moment ago, and sh has not said the number yet
  end
end

--- Stops all: darktable waits at its end until no Lua runs any more.
function program.stop_all()
  for task in pairs(running) do
    program.stop(task)
  end
end

return program
