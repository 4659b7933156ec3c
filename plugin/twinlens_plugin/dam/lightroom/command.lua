--[[
Command lines for LrTasks.execute, which hands them to sh on macOS and to `cmd.exe /c` on Windows.
Pure. Photos are never in them: they go through a file, whatever their names.
]]

local command = {}

-- Within single quotes all bytes but the single quote are themselves.
local function for_sh(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

--[[ For cmd.exe and then for the program, which takes its line apart once more:

1. Within double quotes & | < > ^ ( ) are themselves. No Windows path holds a double quote.
2. %NAME% is replaced in quotes too, and nothing escapes a %. Outside of quotes and with a ^ before
   it, it ends a name that no variable has, so that it stays; cmd then drops the ^.
3. The program takes \" for a quote: backslashes before a quote count twice. ]]
local function for_cmd(word)
  local inner = word:gsub("(\\*)%%", '%1%1"^%%"'):gsub("(\\+)$", "%1%1")
  return '"' .. inner .. '"'
end

--[[ Returns the line that runs `words`, its answer and its remarks into two files; nil and what is
wrong where a word can be no path on Windows. ]]
function command.line(words, answer, remarks, windows)
  local quoted, parts = windows and for_cmd or for_sh, {}
  for i, word in ipairs(words) do
    if windows and word:find('["\r\n]') then
      return nil, word .. ": no path on Windows. Correct it in File > Plug-in Manager > twinlens."
    end
    parts[i] = quoted(word)
  end
  local nothing = windows and "nul" or "/dev/null"
  local line = ("%s <%s >%s 2>%s"):format(
    table.concat(parts, " "), nothing, quoted(answer), quoted(remarks))
  -- cmd.exe /c drops the first and the last quote of a line like ours.
  return windows and '"' .. line .. '"' or line
end

--- Returns the exit code in a status: on macOS it may be that of wait(2), the code times 256.
function command.exit_code(status)
  return status >= 256 and status % 256 == 0 and status / 256 or status
end

--- Returns a path as this system writes it: twinlens joins with slashes.
function command.native(path, windows)
  return windows and (path:gsub("/", "\\")) or path
end

return command
