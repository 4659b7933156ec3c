local ask = require "ask"
local menu = require "menu"
local answers = require "answers"(require "json")

menu("remembering", 2, function(scope, paths)
  local answer, remarks = ask(scope, { "decide", "--not-duplicates" }, paths)
  if not answer then
    return remarks
  end
  return answers.count(#paths, "photo") .. " remembered as no duplicates of one another.",
    "twinlens will not propose any two of them together again."
end)
